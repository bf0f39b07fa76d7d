from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import fleetlog as client
import numpy as np
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.port import Coded

from tests.deploy.processes import fleetlog, up
from tests.ingest.materializer.builders import in_own_process

SAME = "the tables are what the log says\n"
DIFFER = "the tables differ: `fleetlog replay` rebuilds them\n"


def _add_a_row(path: Path) -> None:
    warehouse = ChdbWarehouse(path)
    namespace = Coded(np.zeros(1, np.uint32), ["default"])
    warehouse.insert(
        "rollup", {"namespace": namespace, "n": np.ones(1, np.uint64)}, "one that the log knows nothing of"
    )
    warehouse.close()


def _runs(target: str, run_id: str) -> list[client.RunView]:
    """The run; none as long as the tables are not whole."""
    try:
        return list(client.Client(target).get_runs([run_id]))
    except client.Unavailable as error:
        assert error.reason == "WAREHOUSE_REBUILDING"  # noqa: PT017
        return []


def test_verify_finds_a_difference_and_replay_mends_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--port", "0") as server:
        with client.start_run("replayed", "one", params={"lr": 1.0}, target=server.target) as run:
            for step in range(300):
                run.log({"x": float(step)}, step=step)
        assert client.Client(server.target).get_run(run.id).summary("x").count == 300
        assert server.stop(signal.SIGTERM) == 0

    (same,) = fleetlog(("replay", "--verify", "--data", data))
    assert (same.code, same.err) == (0, "")
    assert same.out.endswith(f"\n{SAME}")
    assert "points\t300 rows\n" in same.out
    assert "runs\t1 rows\n" in same.out

    in_own_process(_add_a_row, data / "warehouse")
    (differ,) = fleetlog(("replay", "--verify", "--data", data))
    assert differ.code == 1
    assert differ.out.endswith(f"\n{DIFFER}")
    assert differ.err.startswith("fleetlog: rollup")

    (mended,) = fleetlog(("replay", "--data", data))
    assert (mended.code, mended.out, mended.err) == (0, "the tables are rebuilt from the log\n", "")
    (same,) = fleetlog(("replay", "--verify", "--data", data))
    assert (same.code, same.out.endswith(f"\n{SAME}")) == (0, True)
    assert not [path.name for path in data.iterdir() if path.name.startswith("warehouse.") and path.is_dir()]

    # What is not folded yet is no difference, and is told; a start folds it.
    shutil.rmtree(data / "warehouse")
    (behind,) = fleetlog(("replay", "--verify", "--data", data))
    assert behind.code == 0
    assert "records of the log are in no table yet, and were not compared: `fleetlog up` folds them\n" in behind.out
    with up(data, "--port", "0") as server:
        deadline = time.monotonic() + 60
        while not (found := _runs(server.target, run.id)):
            assert time.monotonic() < deadline, "the log was not folded"
        assert found[0].params == {"lr": 1.0}
        assert server.stop(signal.SIGTERM) == 0


def test_data_that_cannot_be_replayed(tmp_path: Path) -> None:
    (tmp_path / "corrupt" / "log").mkdir(parents=True)
    (tmp_path / "corrupt" / "log" / "events.sqlite").write_text("this is no database, " * 100)
    absent, corrupt, usage = fleetlog(
        ("replay", "--data", tmp_path / "nowhere"),
        ("replay", "--verify", "--data", tmp_path / "corrupt"),
        ("replay", "--verfy"),
    )
    assert (absent.code, absent.err) == (1, f"fleetlog: there is no log in {tmp_path / 'nowhere'}; give its --data\n")
    assert not (tmp_path / "nowhere").exists()
    assert corrupt.code == 1
    assert "file is not a database" in corrupt.err
    assert corrupt.err.count("\n") == 1
    assert usage.code == 2
