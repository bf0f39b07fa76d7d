"""Points that come between the statements of one read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_query.series import buckets
from fleetlog_query.series.series_query import SeriesQuery
from fleetlog_query.warehouse.cancellable import CancellableWarehouse, Result
from fleetlog_query.warehouse.holding import Holding

RUNS = tuple(bytes([place]) * 16 for place in range(buckets.EARLY_SERIES))


class Growing(CancellableWarehouse):
    """Series that had 1,024 points when their ends were looked up, and 1,280 when the rows of `rollup` were read."""

    def __init__(self) -> None:
        self.begun = 0

    def select(self, statement: Statement, *, timeout_seconds: float | None = None) -> Answer:
        """The ends, or the rows."""
        self.begun += 1
        ids = np.frombuffer(b"".join(RUNS), "V16")
        if "FROM run_series" in statement.sql:
            counts = np.full(len(RUNS), 1_024, np.uint64)
            ends = {"points": counts, "low": np.zeros(len(RUNS), np.int64), "high": counts.astype(np.int64) - 1}
            return Answer({"run_id": ids, "named": np.ones(len(RUNS), np.uint8), **ends}, len(RUNS), 0, 0)
        steps = np.tile(np.arange(10) * 128, len(RUNS))
        columns = {"run_id": np.repeat(ids, 10), "named": np.ones(len(steps), np.uint8), "x": steps}
        numbers = {name: np.ones(len(steps)) for name in ("lo", "hi", "t")}
        counts = np.full(len(steps), 128, np.uint64)
        return Answer(columns | numbers | {"c": counts, "k": counts * np.uint64(0)}, len(steps), 0, 0)

    def beside(self, function: Callable[[], Result]) -> Future[Result]:
        """At once."""
        future: Future[Result] = Future()
        future.set_result(function())
        return future


def test_what_came_after_the_ends_is_in_no_bucket() -> None:
    reads = Growing()
    query = SeriesQuery("default", RUNS, ("loss",), buckets=8)
    parts = [part for found in buckets.read_buckets(reads, query, {}, Holding()) for part in found.parts]
    assert [part.run_id for part in parts] == [run_id.hex() for run_id in RUNS]
    for part in parts:
        assert np.frombuffer(part.buckets.steps, "<i8").tolist() == [step * 128 for step in range(8)]
        assert np.frombuffer(part.buckets.counts, "<u8").tolist() == [128] * 8
        assert part.buckets.nans == b""
    assert reads.begun == 2
