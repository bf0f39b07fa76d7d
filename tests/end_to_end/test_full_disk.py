"""A disk that has room for short records and none for long ones: what each writer wrote keeps its order."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import fleetlog
from fleetlog_core.log.port import EVENTS
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest.materializer.loop.loop import Materializer

from tests.core.log.full_disk import files_no_longer_than
from tests.ingest.gateway.serving import logged, serving
from tests.ingest.materializer.warehouses import drain, opened
from tests.own_processes import in_fresh_process
from tests.waiting import reached

RUNS = 3
ROUNDS = 3


def _started(log: SqliteLog, warehouse: Warehouse, path: Path, target: str) -> list[fleetlog.Run]:
    """Runs whose experiment is known; nothing is folded from then on."""
    materializer = Materializer(log, warehouse, FolderStore(path / "objects"))
    thread = threading.Thread(target=materializer.run)
    thread.start()
    try:
        return [fleetlog.start_run("full disk", target=target) for _ in range(RUNS)]
    finally:
        materializer.stop()
        thread.join(60)


def _in_order(path: Path) -> None:
    log, warehouse = SqliteLog(path / "log.sqlite", {EVENTS: 2}), opened(path)
    noise = random.Random(7)
    values = [noise.random() for _ in range(60_000)]
    last = 0
    with serving(log, path, warehouse) as gateway:
        runs = _started(log, warehouse, path, gateway.target)
        for place in range(ROUNDS):
            longest = max(file.stat().st_size for file in path.glob("log.sqlite*"))
            failures = log.generation()
            with files_no_longer_than(longest + 150_000):
                for run in runs:
                    last += 1
                    run.set_tag("last", -last)
                    run.log_series(f"x{place}", steps=range(len(values)), values=values)
                    run.set_tag("last", last)
                reached(lambda failures=failures: log.generation() >= failures + 2)  # type: ignore[misc]
            for run in runs:
                last += 1
                run.set_tag("last", last)
                run.set_tag("round", place)
                run.flush(timeout=60)
        assert log.generation() >= 2 * ROUNDS
        shown = {run.id: last - RUNS + place + 1 for place, run in enumerate(runs)}
        for run in runs:
            run.finish()
        for run in runs:
            firsts = list(
                dict.fromkeys(event.sequence for frame in logged(log, bytes.fromhex(run.id)) for event in frame.events)
            )
            assert firsts == list(range(1, len(firsts) + 1))
        drain(log, warehouse, path)
    rows = warehouse.select(
        Statement("SELECT hex(run_id) AS run, str FROM attrs FINAL WHERE kind = 2 AND key = 'last'")
    )
    found = {run.lower(): int(text) for run, text in zip(rows.texts("run"), rows.texts("str"), strict=True)}
    assert found == shown
    # The files of the client's journal may be no longer either, which the runs are told.
    problems = Statement("SELECT count() AS n FROM problems WHERE reason != 'JOURNAL_UNWRITABLE'")
    assert warehouse.select(problems).array("n")[0] == 0
    warehouse.close()
    log.close()


def test_each_writer_keeps_its_order_while_some_commits_fail(tmp_path: Path) -> None:
    in_fresh_process(_in_order, tmp_path)
