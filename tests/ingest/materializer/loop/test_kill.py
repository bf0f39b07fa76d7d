"""SIGKILL the process that writes and materializes, again and again; then hold the tables against the ledger."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest import replay

from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.victim import acked
from tests.ingest.materializer.warehouses import drain, opened, rebuilt

KILLS = 20


def _compare(path: Path) -> tuple[list[int], list[float], list[int]]:
    log = SqliteLog(path / "log.sqlite")
    live = opened(path)
    drain(log, live, path)
    rows = live.select(Statement("SELECT step, value FROM points ORDER BY step"))
    sums = live.select(Statement("SELECT sum(n) AS n FROM series UNION ALL SELECT sum(n) AS n FROM run_series"))
    assert sums.array("n").tolist() == [rows.rows] * 2
    tags = live.select(Statement("SELECT key FROM model_attrs FINAL ORDER BY toUInt64(key)"))
    models = live.select(Statement("SELECT count() AS n FROM logged_models FINAL"))
    assert models.array("n").tolist() == [1]
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences
    log.close()
    return rows.array("step").tolist(), rows.array("value").tolist(), [int(key) for key in tags.texts("key")]


def test_every_acked_event_is_visible_once_after_many_kills(tmp_path: Path) -> None:
    root, chance = Path(__file__).parents[4], random.Random(1)
    for seed in range(KILLS):
        victim = [sys.executable, "-m", "tests.ingest.materializer.victim", str(tmp_path), str(seed)]
        with subprocess.Popen(victim, cwd=root, stderr=subprocess.PIPE) as process:
            try:
                _, told = process.communicate(timeout=1 + chance.random() if seed % 2 else 60)
            except subprocess.TimeoutExpired:
                process.kill()
                _, told = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, told.decode()
    steps, values, tags = in_own_process(_compare, tmp_path)
    ledger = acked(tmp_path)
    assert len(ledger) > KILLS
    assert len(steps) == len(set(steps)), "something is there twice"
    assert set(ledger) <= set(steps), "something acked is not there"
    assert {sequence for sequence in ledger if sequence % 5 == 0} <= set(tags), "a tag of the model is not there"
    assert len(tags) == len(set(tags))
    assert len(steps) - len(ledger) <= 5 * KILLS
    assert values == [float(step) for step in steps]
