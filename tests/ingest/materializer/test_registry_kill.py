"""SIGKILL the process that registers versions, again and again; then hold the tables against its ledger."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest import replay

from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.victim import acked
from tests.ingest.materializer.warehouses import drain, opened, rebuilt

KILLS = 5


def _compare(path: Path) -> tuple[list[int], list[str], int]:
    log = SqliteLog(path / "log.sqlite")
    live = opened(path)
    drain(log, live, path)
    numbers = live.select(Statement("SELECT version FROM model_versions FINAL ORDER BY version"))
    results = live.select(Statement("SELECT result FROM outcomes FINAL ORDER BY off"))
    newest = Snapshot(live.select, "default").named(["m"])["m"].aliases["newest"]
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences
    log.close()
    return numbers.array("version").tolist(), results.texts("result"), newest


def test_every_acked_version_has_its_number_once_after_many_kills(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    for seed in range(KILLS):
        victim = [sys.executable, "-m", "tests.ingest.materializer.registry_victim", str(tmp_path), str(seed)]
        done = subprocess.run(victim, cwd=root, capture_output=True, timeout=120, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    numbers, results, newest = in_own_process(_compare, tmp_path)
    ledger = acked(tmp_path)
    assert len(ledger) >= KILLS
    assert numbers == list(range(1, len(numbers) + 1)), "a number is missing, or there twice"
    assert [int(result.partition("/")[2]) for result in results] == numbers
    # The last intent of each life may be in the log without an ack, and then is sent again under the same id.
    assert len(ledger) <= len(numbers) <= len(ledger) + KILLS
    assert newest == numbers[-1]
