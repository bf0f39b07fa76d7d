from __future__ import annotations

from fleetlog_core.log.port import EVENTS, Partition, Record
from fleetlog_ingest.materializer.control.log_times import time_rows

PARTITION = Partition(EVENTS, 2)


def rows(*times: int, first: int = 7) -> list[tuple[object, ...]]:
    records = [Record(PARTITION, first + place, b"", b"", time) for place, time in enumerate(times)]
    return time_rows(PARTITION, records, 5)


def test_each_millisecond_and_each_hour_says_where_the_log_stood() -> None:
    assert rows(3_599_999, 3_599_999, 3_600_000) == [
        ("events", 2, 1, 3_599_999, 7, 9, 5),
        ("events", 2, 3_600_000, 0, 7, 9, 5),
        ("events", 2, 1, 3_600_000, 9, 10, 5),
        ("events", 2, 3_600_000, 3_600_000, 9, 10, 5),
    ]


def test_a_clock_that_went_back_is_within_the_same_rows() -> None:
    assert rows(5, 4, 5)[0] == ("events", 2, 1, 5, 7, 10, 5)
