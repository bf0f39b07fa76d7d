"""`fleetlog up` on a data directory whose warehouse lost rows: noticed, never served as whole, and made anew."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import fleetlog as client
import pytest

from tests.deploy import damage
from tests.deploy.processes import fleetlog, up
from tests.waiting import reached

POINTS = 200
SAME = "the tables are what the log says\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data directory with a run of 200 points, and a copy of its warehouse at 100 of them beside it."""
    data = tmp_path_factory.mktemp("lost") / "data"
    with up(data, "--port", "0") as server:
        run = _log(server.target, None, range(POINTS // 2))
        assert server.stop(signal.SIGTERM) == 0
    shutil.copytree(data / "warehouse", data.parent / "older", symlinks=True)
    with up(data, "--port", "0") as server:
        assert _log(server.target, run, range(POINTS // 2, POINTS)) == run
        assert client.Client(server.target).get_run(run).summary("x").count == POINTS
        assert server.stop(signal.SIGTERM) == 0
    return data, run


def _log(target: str, run_id: str | None, steps: range) -> str:
    with client.start_run("lost", "one", run_id=run_id, resume=run_id is not None, target=target) as run:
        for step in steps:
            run.log({"x": float(step)}, step=step)
        run.set_tag("stage", str(steps.stop))
    assert client.Client(target).get_run(run.id).summary("x").count == steps.stop
    return run.id


def _copy(data: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(data, copy, symlinks=True)
    return copy


def _count(target: str, run_id: str) -> int | None:
    """How many points a read without a position says there are; None when it says that it can't tell."""
    try:
        return len(client.Client(target).read_metric(run_id, "x").steps)
    except client.Unavailable as error:
        if error.reason != "WAREHOUSE_REBUILDING":
            raise
        return None


def _whole(target: str, run_id: str) -> int:
    """How many points there are as soon as that is answered."""
    found: list[int] = []

    def answered() -> bool:
        count = _count(target, run_id)
        found.extend([] if count is None else [count])
        return bool(found)

    reached(answered, 120)
    return found[0]


def _heals(data: Path, run_id: str, expected: int = POINTS) -> str:
    """Start on the directory: whatever is answered is whole, and it is answered at last. What stderr said."""
    with up(data, "--port", "0") as server:
        assert _whole(server.target, run_id) == expected
        assert server.stop(signal.SIGTERM) == 0
    assert not [path.name for path in data.iterdir() if path.name in ("warehouse.lost", "warehouse.fresh")]
    return server.err


@pytest.mark.parametrize(
    ("table", "harm"),
    [
        ("points", damage.remove),
        ("attrs", damage.cut),
        ("series", damage.empty),
        ("writers", damage.remove),
    ],
)
def test_a_part_that_is_gone_or_damaged_is_noticed_and_made_anew(
    made: tuple[Path, str], tmp_path: Path, table: str, harm: Callable[[Path], None]
) -> None:
    data = _copy(made[0], tmp_path)
    harm(damage.parts_of(data / "warehouse", table)[-1])
    said = _heals(data, made[1])
    assert f"the warehouse lost rows: parts of {table} are gone" in said
    assert said.count("lost rows") == 1
    (same,) = fleetlog(("replay", "--verify", "--data", data))
    assert (same.code, same.err) == (0, "")
    assert same.out.endswith(f"\n{SAME}")


def test_an_older_warehouse_that_is_put_back_is_made_anew(made: tuple[Path, str], tmp_path: Path) -> None:
    data = _copy(made[0], tmp_path)
    shutil.rmtree(data / "warehouse")
    shutil.copytree(made[0].parent / "older", data / "warehouse", symlinks=True)
    assert "the warehouse lost rows" in _heals(data, made[1])


@pytest.mark.parametrize("table", ["checkpoints", ""])
def test_without_its_checkpoints_or_any_table_it_is_made_anew(
    made: tuple[Path, str], tmp_path: Path, table: str
) -> None:
    data = _copy(made[0], tmp_path)
    if table:
        for part in damage.parts_of(data / "warehouse", table):
            damage.remove(part)
    else:
        shutil.rmtree(data / "warehouse")
    assert "the warehouse lost rows" in _heals(data, made[1])


def test_a_warehouse_that_lost_nothing_is_served_as_it_is(made: tuple[Path, str], tmp_path: Path) -> None:
    assert "lost rows" not in _heals(_copy(made[0], tmp_path), made[1])


def test_where_the_log_lacks_its_begin_the_server_says_so_and_keeps_what_is_left(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    data = _copy(made[0], tmp_path)
    damage.remove(damage.parts_of(data / "warehouse", "points")[-1])
    with sqlite3.connect(data / "log" / "events.sqlite") as log:
        log.execute("DELETE FROM records WHERE id IN (SELECT min(id) FROM records GROUP BY id >> 48)")
    log.close()
    (refused,) = fleetlog(("up", "--data", data, "--port", "0"))
    assert refused.code == 1
    assert "the log no longer has all of" in refused.err
    assert damage.parts_of(data / "warehouse", "attrs"), "what is left is not thrown away"


def test_a_server_that_is_killed_while_it_makes_the_tables_anew_goes_on(made: tuple[Path, str], tmp_path: Path) -> None:
    data = _copy(made[0], tmp_path)
    damage.remove(damage.parts_of(data / "warehouse", "points")[-1])
    for _ in range(3):
        with up(data, "--port", "0") as server:
            assert _count(server.target, made[1]) in (None, POINTS)
            server.process.kill()
    _heals(data, made[1])


def test_a_server_that_was_killed_between_the_two_renames_goes_on(made: tuple[Path, str], tmp_path: Path) -> None:
    data = _copy(made[0], tmp_path)
    damage.remove(damage.parts_of(data / "warehouse", "points")[-1])
    with up(data, "--port", "0") as server:
        server.process.kill()
    # As it was in that moment: what is left is set aside, and the empty one has not taken its place.
    (data / "warehouse").rename(data / "warehouse.fresh")
    shutil.rmtree(data / "warehouse.lost", ignore_errors=True)
    shutil.copytree(made[0] / "warehouse", data / "warehouse.lost", symlinks=True)
    _heals(data, made[1])
    (same,) = fleetlog(("replay", "--verify", "--data", data))
    assert (same.code, same.out.endswith(f"\n{SAME}")) == (0, True)


def test_what_was_damaged_after_a_kill_and_before_a_checkpoint_is_made_anew(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    data = _copy(made[0], tmp_path)
    with up(data, "--port", "0") as server:
        before = set(damage.parts_of(data / "warehouse", "points"))
        run = client.start_run("lost", "three", target=server.target)
        for step in range(POINTS):
            run.log({"x": float(step)}, step=step)
        run.flush(60.0, "applied")
        server.process.kill()
        server.process.wait()
    parts = damage.parts_of(data / "warehouse", "points")
    assert set(parts) - before, "rows that no checkpoint may have yet"
    damage.empty(parts[-1])
    with up(data, "--port", "0") as server:
        assert _whole(server.target, run.id) == POINTS
        assert server.stop(signal.SIGTERM) == 0


def test_what_is_logged_while_the_tables_are_made_anew_is_acknowledged(made: tuple[Path, str], tmp_path: Path) -> None:
    data = _copy(made[0], tmp_path)
    damage.remove(damage.parts_of(data / "warehouse", "points")[-1])
    with up(data, "--port", "0") as server:
        with client.start_run("0", "two", target=server.target) as run:
            run.log({"x": 1.0})
            run.flush()
        assert _whole(server.target, run.id) == 1
        server.process.kill()
    _heals(data, made[1])
