"""Records as the tables tell of them: every one once, in pages, by run, from both ends, up to a position."""

from __future__ import annotations

from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_core.warehouse.schema import EVERY_NAMESPACE
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_query.audit.records import Conditions, Place, RecordRow, has_records, read_records

from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.history import write
from tests.ingest.materializer.warehouses import opened

PARTITIONS = [Partition(CONTROL, 0), Partition(EVENTS, 0), Partition(EVENTS, 1)]
EVERYTHING = Conditions(EVERY_NAMESPACE)


def _records(path: Path) -> None:
    log = MemoryLog({EVENTS: 2})
    write(log, 3, 80)
    warehouse = opened(path)
    replay.rebuild(log, warehouse, FolderStore(path / "objects"))
    within = {one: (0, log.next_offset(one)) for one in PARTITIONS}
    _each_once(log, warehouse, within)
    _pages(warehouse, within)
    _of_a_run(warehouse, within)
    warehouse.close()


def _each_once(log: MemoryLog, warehouse: Warehouse, within: dict[Partition, tuple[int, int]]) -> None:
    sent = [
        decode(record) for one in PARTITIONS for record in log.read(one, 0, max_bytes=1 << 30)
    ]  # fmt: skip
    known = [(one.record.partition, one.record.offset) for one in sent if one.namespace and not one.heard]
    found = rows(warehouse, within)
    assert len(found) == len(known) > 50
    assert {(row.partition, row.offset) for row in found} == set(known)
    for one in PARTITIONS:
        offsets = [row.offset for row in found if row.partition == one]
        assert offsets == sorted(offsets)
    half = {one: (0, until // 2) for one, (_, until) in within.items()}
    assert rows(warehouse, half) == [row for row in found if row.offset < half[row.partition][1]]


def _pages(warehouse: Warehouse, within: dict[Partition, tuple[int, int]]) -> None:
    for latest_first in (False, True):
        whole, paged = rows(warehouse, within, latest_first=latest_first), list[RecordRow]()
        after: dict[Partition, Place] = {}
        while page := read_records(warehouse.select, EVERYTHING, within, after, 7, latest_first=latest_first):
            paged += page
            after |= {row.partition: (row.offset, row.place) for row in page}
        assert paged == whole


def _of_a_run(warehouse: Warehouse, within: dict[Partition, tuple[int, int]]) -> None:
    whole = rows(warehouse, within)
    run = next(row for row in whole if "run_started" in row.kinds)
    of_run = rows(warehouse, within, Conditions(run.namespace, run.subject))
    assert {row.partition for row in of_run} == {run.partition}
    assert {row for row in whole if (row.namespace, row.subject) == (run.namespace, run.subject)} <= set(of_run)
    started = rows(warehouse, within, Conditions(run.namespace, run.subject, kinds=["run_started"]))
    assert [row for row in of_run if "run_started" in row.kinds.split(",")] == started
    assert has_records(warehouse.select, Conditions(run.namespace, run.subject), PARTITIONS)
    assert not has_records(warehouse.select, Conditions("nobodys", run.subject), PARTITIONS)


def rows(
    warehouse: Warehouse, within: dict[Partition, tuple[int, int]], conditions: Conditions = EVERYTHING, *,
    latest_first: bool = False,
) -> list[RecordRow]:  # fmt: skip
    return read_records(warehouse.select, conditions, within, {}, 100_000, latest_first=latest_first)


def test_every_record_is_found_once_in_pages_and_by_its_run(tmp_path: Path) -> None:
    in_own_process(_records, tmp_path)
