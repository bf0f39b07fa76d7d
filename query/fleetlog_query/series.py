"""Points and buckets of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_proto.v1 import query_pb2

from fleetlog_query.binds import Binds

CHUNK_POINTS = 100_000
ROLLUP_STEPS = 128
_STEP_MAX, _STEP_MIN = (1 << 63) - 1, -(1 << 63)


@dataclass(frozen=True)
class SeriesRange:
    """Which points: of one metric of one run, steps from `low` to `high`, both included."""

    namespace: str
    run_id: bytes
    key: str
    low: int = _STEP_MIN
    high: int = _STEP_MAX

    def where(self, binds: Binds, steps: bool = True) -> str:
        """As a condition on `points`."""
        where = (
            f"namespace = {binds.text(self.namespace)} AND run_id = unhex({binds.text(self.run_id.hex())})"
            f" AND key = {binds.text(self.key)}"
        )
        if steps and self.low != _STEP_MIN:
            where += f" AND step >= {binds.whole(self.low)}"
        if steps and self.high != _STEP_MAX:
            where += f" AND step <= {binds.whole(self.high)}"
        return where


class SeriesReader:
    """Reads series."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def points(self, wanted: SeriesRange, timeout_seconds: float) -> Iterator[query_pb2.PointChunk]:
        """Raw points by (step, time, log order), in chunks."""
        binds = Binds()
        statement = Statement(
            f"SELECT step, toUnixTimestamp64Milli(ts) AS time, value FROM points WHERE {wanted.where(binds)}"
            " ORDER BY namespace, run_id, key, step, ts, part, off",
            binds.values,
            wide=True,
        )
        answer = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        if answer.rows == 0:
            return
        steps, times, values = answer.array("step"), answer.array("time"), answer.array("value")
        for first in range(0, answer.rows, CHUNK_POINTS):
            last = first + CHUNK_POINTS
            yield query_pb2.PointChunk(
                steps=steps[first:last].tobytes(),
                times_millis=times[first:last].tobytes(),
                values=values[first:last].tobytes(),
            )

    def buckets(
        self, namespace: str, run_ids: Sequence[bytes], keys: Sequence[str], low: int, high: int, count: int,
        timeout_seconds: float,
    ) -> dict[tuple[bytes, str], query_pb2.BucketChunk]:  # fmt: skip
        """At most `count` buckets a series, of equal width over all the series together, so that charts line up.

        Buckets of 128 steps or more are read from `rollup`, whole multiples of it; a bound within one is rounded out.
        """
        found = self._extent(namespace, run_ids, keys, timeout_seconds)
        if found is None:
            return {}
        low, high = max(low, found[0]), min(high, found[1])
        if low > high:
            return {}
        width = -(-(high - low + 1) // count)
        if width >= ROLLUP_STEPS:
            width = -(-width // ROLLUP_STEPS) * ROLLUP_STEPS
            low -= low % ROLLUP_STEPS
            if -(-(high - low + 1) // width) > count:
                width += ROLLUP_STEPS
        binds = Binds()
        scope = (
            f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)} AND key IN {binds.texts(keys)}"
        )
        start, wide = binds.whole(low), binds.whole(width)
        if width >= ROLLUP_STEPS:
            span = f"b >= {binds.whole(low // ROLLUP_STEPS)} AND b <= {binds.whole(high // ROLLUP_STEPS)}"
            step, source = f"b * {ROLLUP_STEPS}", f"FROM rollup WHERE {scope} AND {span}"
            values = (
                "sum(n) AS points, sum(nans) AS lacking, min(minv) AS lowest, max(maxv) AS highest, sum(total) AS whole"
            )
        else:
            step = "step"
            source = f"FROM points WHERE {scope} AND step >= {start} AND step <= {binds.whole(high)}"
            values = (
                "count() AS points, countIf(isNaN(value)) AS lacking,"
                " min(if(isNaN(value), inf, value)) AS lowest, max(if(isNaN(value), -inf, value)) AS highest,"
                " sumIf(value, NOT isNaN(value)) AS whole"
            )
        sql = (
            f"SELECT run_id, key, intDiv({step} - {start}, {wide}) AS place, {values} {source}"
            " GROUP BY run_id, key, place ORDER BY run_id, key, place"
        )
        answer = self._warehouse.select(Statement(sql, binds.values, wide=True), timeout_seconds=timeout_seconds)
        return _split(answer, low, width)

    def _extent(
        self, namespace: str, run_ids: Sequence[bytes], keys: Sequence[str], timeout_seconds: float
    ) -> tuple[int, int] | None:
        binds = Binds()
        # first and last hold the step, its order as unsigned, above 128 bits of time and value.
        sql = (
            "SELECT reinterpretAsInt64(toUInt64(bitAnd(bitShiftRight(min(first), 128), 18446744073709551615))) AS low,"
            " reinterpretAsInt64(toUInt64(bitAnd(bitShiftRight(max(last), 128), 18446744073709551615))) AS high,"
            " sum(n) AS points FROM run_series"
            f" WHERE namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)}"
            f" AND key IN {binds.texts(keys)}"
        )
        answer = self._warehouse.select(Statement(sql, binds.values), timeout_seconds=timeout_seconds)
        if answer.rows == 0 or int(answer.array("points")[0]) == 0:
            return None
        low, high = int(answer.array("low")[0]), int(answer.array("high")[0])
        return low ^ _STEP_MIN, high ^ _STEP_MIN


def _split(answer: Answer, low: int, width: int) -> dict[tuple[bytes, str], query_pb2.BucketChunk]:
    if answer.rows == 0:
        return {}
    steps = answer.array("place") * width + low
    counts, nans = answer.array("points"), answer.array("lacking")
    numbers = (counts - nans).astype(np.float64)
    none = numbers == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = answer.array("whole") / numbers
    mins = np.where(none, np.nan, answer.array("lowest"))
    maxs = np.where(none, np.nan, answer.array("highest"))
    names = list(zip(answer.array("run_id").tolist(), answer.texts("key"), strict=True))
    chunks: dict[tuple[bytes, str], query_pb2.BucketChunk] = {}
    first = 0
    for last in range(1, len(names) + 1):
        if last < len(names) and names[last] == names[first]:
            continue
        run_id, key = names[first]
        chunks[(bytes(run_id), key)] = query_pb2.BucketChunk(
            steps=steps[first:last].astype("<i8").tobytes(),
            counts=counts[first:last].astype("<u8").tobytes(),
            mins=mins[first:last].tobytes(),
            maxs=maxs[first:last].tobytes(),
            means=means[first:last].tobytes(),
        )
        first = last
    return chunks
