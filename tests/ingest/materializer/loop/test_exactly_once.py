"""Whatever the batches and wherever it dies: the tables are those of the log, once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import DEAD_LETTERS, EVENTS, Commit, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Column, Statement, Warehouse, WarehouseRefused
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.loop import Materializer
from fleetlog_ingest.materializer.loop.recovery import WarehouseBehind

from tests.ingest.materializer.builders import frame, in_own_process, metrics, start
from tests.ingest.materializer.history import run_id, write
from tests.ingest.materializer.warehouses import Crash, Watched, drain, opened, rebuilt
from tests.profiles import examples

ONE_BY_ONE = BatchPolicy(target_weight=1, max_weight=1)
FEW = BatchPolicy(target_weight=700, max_weight=1_000)
PARTITIONS = {"events": 2}
EVERYTHING = (3, 5)
"""Seeds of which sixty frames have events and intents of every kind."""
INSERTS = 30
"""A crash is tried before and after as many: of two batches and more."""


def _same_in_any_batches(path: Path) -> None:
    for seed in EVERYTHING[: examples(len(EVERYTHING))]:
        log = MemoryLog(PARTITIONS)
        write(log, seed, 60)
        whole = rebuilt(log, path / f"whole{seed}")
        assert whole["points"].rows > 0
        assert whole["problems"].rows > 0
        assert whole["experiments"].rows > 0
        for name, policy in (("one", ONE_BY_ONE), ("few", FEW)):
            report = replay.compare(whole, rebuilt(log, path / f"{name}{seed}", policy))
            assert report.same, report.differences


def test_the_tables_are_the_same_in_any_batches(tmp_path: Path) -> None:
    in_own_process(_same_in_any_batches, tmp_path)


def _crash_at_every_insert(path: Path, after: bool) -> None:
    log = MemoryLog(PARTITIONS)
    live = opened(path)
    died = 0
    tried = range(0, INSERTS, INSERTS // examples(INSERTS))
    for at in tried:
        write(log, at % 7, 12 + at)

        def die(number: int, table: str, columns: Mapping[str, Column], is_after: bool, at: int = at) -> None:
            if number == at and is_after == after:
                raise Crash

        try:
            drain(log, Watched(live, die), path, FEW)
        except Crash:
            died += 1
        # The next one forms its batches in its own way, but for the one that was declared.
        drain(log, live, path)
    assert died > len(tried) / 2
    found = replay.checksums(live)
    _followed(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


def _followed(live: Warehouse) -> None:
    """Nothing that runs are found by, or known by to have changed, was lost."""
    id_millis = "toInt64(reinterpretAsUInt64(reverse(substring(run_id, 1, 6))))"
    outside = live.select(
        Statement(
            f"SELECT count() AS n FROM (SELECT experiment, toUnixTimestamp64Milli(start_time) - {id_millis} AS skew"
            " FROM runs) AS r LEFT JOIN (SELECT experiment, max(ahead) AS a, max(behind) AS b FROM run_skews"
            " GROUP BY experiment) AS s ON s.experiment = r.experiment WHERE skew > a OR -skew > b"
        )
    )
    assert outside.array("n").tolist() == [0]
    untold = live.select(
        Statement(
            "SELECT count() AS n FROM writers LEFT JOIN (SELECT namespace, run_id, max(until) AS upto FROM run_touches"
            " GROUP BY namespace, run_id) AS t USING (namespace, run_id) WHERE next_offset > upto"
            # Logged models have writers, too; nothing that is held is of them.
            " AND (namespace, run_id) NOT IN (SELECT namespace, model_id FROM logged_models)"
        )
    )
    assert untold.array("n").tolist() == [0]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_insert_loses_and_doubles_nothing(tmp_path: Path, after: bool) -> None:
    in_own_process(_crash_at_every_insert, tmp_path, after)


def _refused_record(path: Path, table: str) -> None:
    log = MemoryLog()
    for number in range(9):
        log.append(EVENTS, b"", frame(start(1), metrics(2, a=[(0, 1.0)]), run=run_id(number)).SerializeToString())
    bad = run_id(5)

    def refuse(number: int, name: str, columns: Mapping[str, Column], is_after: bool) -> None:
        ids = columns.get("run_id")
        if name == table and isinstance(ids, np.ndarray) and any(cell.tobytes() == bad for cell in ids):
            raise WarehouseRefused("a row that can't be held")

    live = opened(path)
    drain(log, Watched(live, refuse), path)
    rows = live.select(Statement(f"SELECT DISTINCT hex(run_id) AS id FROM {table} ORDER BY id"))
    assert rows.texts("id") == [run_id(number).hex().upper() for number in range(9) if number != 5]
    letters = log.read(Partition(DEAD_LETTERS, 0), 0, max_bytes=1 << 20)
    assert [letter.key for letter in letters] == [b"events-0@5 WAREHOUSE_REFUSED"]
    assert letters[0].value == log.read(Partition(EVENTS, 0), 5, max_bytes=1)[0].value
    problems = live.select(Statement("SELECT reason, off FROM problems FINAL"))
    assert problems.texts("reason") == ["WAREHOUSE_REFUSED"]
    assert problems.array("off").tolist() == [5]
    live.close()


@pytest.mark.parametrize("table", ["points", "series", "attrs"])
def test_a_row_that_the_warehouse_refuses_costs_its_record_alone(tmp_path: Path, table: str) -> None:
    in_own_process(_refused_record, tmp_path, table)


def _behind(path: Path) -> None:
    log = MemoryLog()
    write(log, 1, 10)
    live = opened(path)
    drain(log, live, path)
    with_more = log.consumer("materializer", (EVENTS,))
    with_more.poll(0, max_bytes=1)
    with_more.commit(Partition(EVENTS, 0), Commit(1_000))
    with_more.close()
    with pytest.raises(WarehouseBehind, match="rebuild"):
        Materializer(log, live, FolderStore(path / "objects")).run()
    live.close()
    empty = opened(path / "other")
    drain(log, empty, path)
    assert replay.applied(log, empty)[Partition(EVENTS, 0)] == log.next_offset(Partition(EVENTS, 0))
    with pytest.raises(ValueError, match="empty"):
        replay.rebuild(log, empty, FolderStore(path / "objects"))
    empty.close()


def test_a_warehouse_that_lost_rows_is_told_and_an_empty_one_is_filled(tmp_path: Path) -> None:
    in_own_process(_behind, tmp_path)
