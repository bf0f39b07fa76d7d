"""Orders of partitions put together."""

from __future__ import annotations

from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_query.audit.records import RecordRow, merged


def row(number: int, offset: int, time: int) -> RecordRow:
    return RecordRow(Partition(EVENTS, number), offset, 0, "", b"", 0, 0, time, "", "", "", "", "", b"")


def test_rows_come_by_time_and_each_partition_keeps_its_order() -> None:
    one, other = [row(0, 1, 10), row(0, 2, 5), row(0, 3, 30)], [row(1, 8, 7), row(1, 9, 20)]
    found = merged([one, other], 10, latest_first=False)
    assert [(r.partition.number, r.offset) for r in found] == [(1, 8), (0, 1), (0, 2), (1, 9), (0, 3)]
    assert merged([one, other], 2, latest_first=False) == found[:2]


def test_the_latest_come_first_when_they_are_asked_for() -> None:
    one, other = [row(0, 2, 30), row(0, 1, 10)], [row(1, 9, 20)]
    assert [r.offset for r in merged([one, other], 10, latest_first=True)] == [2, 9, 1]
