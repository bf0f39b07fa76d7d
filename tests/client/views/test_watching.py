"""A watch follows a search over a real server, and goes on when the server was away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to

from tests.client.processes import said, train
from tests.deploy.processes import up
from tests.ports import free_port


def ids(runs: object) -> list[str]:
    return [run.id for run in runs]  # type: ignore[attr-defined]


def until(changes: Iterator[fleetlog.RunChanges], enough: object) -> list[fleetlog.RunChanges]:
    """Changes up to the first that is enough."""
    seen = []
    for change in changes:
        seen.append(change)
        if enough(change):  # type: ignore[operator]
            return seen
    raise AssertionError("a watch has no end")


def test_runs_enter_change_and_leave(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    client.create_experiment(experiment)
    changes = client.watch_runs("metrics.x < 10", experiments=[experiment], order_by=["metrics.x ASC"], limit=2)
    first = next(changes)
    assert (first.snapshot, len(first.runs), first.entered) == (True, 0, [])
    one = fleetlog.start_run(experiment, "one", target=embedded_target)
    one.log({"x": 5.0}, step=0)
    entered = until(changes, lambda change: change.entered)[-1]
    assert (ids(entered.entered), ids(entered.runs), entered.snapshot) == ([one.id], [one.id], False)
    one.log({"x": 4.0}, step=1)
    changed = until(changes, lambda change: change.changed and change.runs[0].metrics == {"x": 4.0})[-1]
    assert (ids(changed.changed), changed.entered, changed.left) == ([one.id], [], [])
    two, three = (fleetlog.start_run(experiment, name, target=embedded_target) for name in ("two", "three"))
    two.log({"x": 3.0}, step=0)
    assert ids(until(changes, lambda change: len(change.runs) == 2)[-1].runs) == [two.id, one.id]
    three.log({"x": 1.0}, step=0)
    pushed = until(changes, lambda change: change.left)[-1]
    assert (ids(pushed.left), ids(pushed.runs)) == ([one.id], [three.id, two.id])
    three.log({"x": 3.5}, step=1)
    assert ids(until(changes, lambda change: ids(change.runs) == [two.id, three.id])[-1].runs) == [two.id, three.id]
    three.log({"x": 11.0}, step=2)
    assert ids(until(changes, lambda change: change.left)[-1].left) == [three.id]
    for run in (one, two, three):
        run.finish(wait=False)


def test_the_first_look_holds_what_this_process_wrote(embedded_target: str, experiment: str) -> None:
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        run.log({"x": 1.0}, step=0)
    first = next(fleetlog.Client(embedded_target).watch_runs(experiments=[experiment], read_mask=["metrics.x"]))
    assert [(one.id, one.state, one.metrics) for one in first.runs] == [(run.id, "FINISHED", {"x": 1.0})]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"filter": "metrics.x <"}, "FILTER_SYNTAX"), ({"limit": 1_001}, "OVER_LIMIT"), ({"limit": -1}, "OVER_LIMIT")],
)
def test_what_is_wrong_is_refused(embedded_target: str, fields: dict[str, object], reason: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument) as caught:
        next(fleetlog.Client(embedded_target).watch_runs(**fields))  # type: ignore[arg-type]
    assert caught.value.reason == reason
    with pytest.raises(fleetlog.NotFound):
        next(fleetlog.Client(embedded_target).watch_runs(experiments=["nowhere at all"]))


def test_a_watch_that_breaks_off_goes_on_without_a_gap(embedded_target: str, experiment: str) -> None:
    """The connection is cut again and again while values are written: none is missed, and none is told twice."""
    run = fleetlog.start_run(experiment, target=embedded_target)
    still = fleetlog.start_run(experiment, "still", target=embedded_target)
    still.log({"x": -1.0}, step=0)
    run.log({"x": 0.0}, step=0)
    fleetlog.flush(target=embedded_target)
    changes = fleetlog.Client(embedded_target).watch_runs(experiments=[experiment], read_mask=["metrics.x"])
    assert len(next(changes).runs) == 2
    seen = 0.0
    for step in range(1, 6):
        for stream in list(connection_to(embedded_target).under_way._streams):
            stream.cancel()
        run.log({"x": float(step)}, step=step)
        while seen < step:
            change = next(changes)
            assert not change.snapshot
            assert ids(change.changed) == [run.id], "what is the same is not told again"
            value = change.changed[0].metrics["x"]
            assert value > seen
            seen = value
    run.finish(wait=False)
    still.finish(wait=False)


def test_a_watch_outlives_a_fork(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    script = f"""
        run = fleetlog.start_run({experiment!r})
        run.log({{"x": 0.0}}, step=0)
        run.flush()
        client = fleetlog.Client()
        changes = client.watch_runs(experiments=[{experiment!r}], read_mask=["metrics"])
        next(changes)
        pid = os.fork()
        if pid == 0:
            os._exit(len(next(client.watch_runs(experiments=[{experiment!r}])).runs))
        run.log({{"x": 1.0}}, step=1)
        change = next(change for change in changes if change.runs[0].metrics == {{"x": 1.0}})
        _, status = os.waitpid(pid, 0)
        run.finish()
        print(json.dumps([change.snapshot, os.waitstatus_to_exitcode(status)]))
        """
    done = train(script, tmp_path, embedded_target)
    assert done.returncode == 0, done.stderr
    assert said(done) == [False, 1]


def test_a_watch_goes_on_when_the_server_is_back(tmp_path: Path) -> None:
    """The server ends at once though it is watched; what was written to the next one is told, and nothing else."""
    port = str(free_port())
    with up(tmp_path / "data", "--port", port) as server:
        with fleetlog.start_run("away", "one", target=server.target) as one:
            one.log({"x": 1.0}, step=0)
        changes = fleetlog.Client(server.target).watch_runs(experiments=["away"])
        assert ids(next(changes).runs) == [one.id]
        assert server.stop(signal.SIGTERM) == 0
    with up(tmp_path / "data", "--port", port) as server:
        with fleetlog.start_run("away", "two", target=server.target) as two:
            two.log({"x": 2.0}, step=0)
        seen = until(changes, lambda change: change.runs[0].state == "FINISHED")
        assert not any(change.snapshot for change in seen)
        assert {run.id for change in seen for run in (*change.entered, *change.changed)} == {two.id}
        assert ids(seen[-1].runs) == [two.id, one.id]
        fleetlog.flush(target=server.target)
