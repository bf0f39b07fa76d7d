"""Runs as documents: a row of `runs`, with params, tags and metrics beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fleetlog_core.ordered import unpack_high, unpack_low, unpack_point
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.as_of import AsOf, runs_source, summary_source
from fleetlog_query.binds import Binds
from fleetlog_query.read_mask import ReadMask
from fleetlog_query.run_keys import RunKeys, read_run_keys
from fleetlog_query.run_rows import RUN_COLUMNS, runs_of

PROBLEMS = 100


class Documents:
    """Reads documents."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def read(
        self,
        namespace: str,
        run_ids: Sequence[bytes],
        mask: ReadMask,
        summaries: bool,
        timeout_seconds: float,
        as_of: AsOf | None = None,
    ) -> list[run_pb2.Run]:
        """The runs that are there, or were, in the order asked for."""
        if not run_ids:
            return []
        binds = Binds()
        ids = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(run_ids)}"
        where = f"{ids} AND experiment IN (SELECT experiment FROM run_homes WHERE {ids})"
        answer = self._warehouse.select(
            Statement(
                f"SELECT {RUN_COLUMNS} FROM {runs_source(where, as_of, binds)} WHERE {where}",
                binds.values,
            ),
            timeout_seconds=timeout_seconds,
        )
        found = {run.run_id: run for run in runs_of(answer)}
        runs = [found[run_id.hex()] for run_id in run_ids if run_id.hex() in found]
        self.fill(namespace, runs, mask, summaries, timeout_seconds, as_of)
        return runs

    def fill(
        self,
        namespace: str,
        runs: Sequence[run_pb2.Run],
        mask: ReadMask,
        summaries: bool,
        timeout_seconds: float,
        as_of: AsOf | None = None,
        keys: RunKeys | None = None,
    ) -> None:
        """Put what the mask names of params, tags and metrics into runs that have their attributes.

        `keys`: what was read of it already.
        """
        by_id = {bytes.fromhex(run.run_id): run for run in runs}
        if by_id and mask.kinds:
            keys = keys or read_run_keys(self._warehouse, namespace, list(by_id), mask, timeout_seconds, as_of)
            keys.put(by_id)
        if by_id and summaries and "metrics" in mask.kinds:
            self._summaries(namespace, by_id, timeout_seconds, as_of)

    def _summaries(
        self, namespace: str, runs: dict[bytes, run_pb2.Run], timeout_seconds: float, as_of: AsOf | None
    ) -> None:
        binds = Binds()
        where = f"namespace = {binds.text(namespace)} AND run_id IN {binds.run_ids(list(runs))}"
        answer = self._warehouse.select(
            Statement(
                "SELECT run_id, key, min(minv) AS lowest, max(maxv) AS highest, sum(n) AS points, sum(nans) AS lacking,"
                " sum(total) AS whole, sum(squares) AS squared, min(first) AS opening, min(low) AS lower,"
                f" max(high) AS upper FROM {summary_source(where, namespace, as_of, binds)} WHERE {where}"
                " GROUP BY run_id, key",
                binds.values,
                wide=len(runs) > 100,
            ),
            timeout_seconds=timeout_seconds,
        )
        ranges: dict[tuple[bytes, str], tuple[Any, ...]] = {}
        names = ("lowest", "highest", "points", "lacking", "whole", "squared", "opening", "lower", "upper")
        columns = [answer.array(name).tolist() for name in names]
        for run_id, key, *values in zip(answer.array("run_id").tolist(), answer.texts("key"), *columns, strict=True):
            ranges[(bytes(run_id), key)] = tuple(values)
        for run_id, run in runs.items():
            for metric in run.metrics:
                values = ranges.get((run_id, metric.key))  # type: ignore[assignment]
                if values:
                    metric.range.CopyFrom(_range(*values))

    def problems(
        self, namespace: str, run_id: bytes, timeout_seconds: float, as_of: AsOf | None = None
    ) -> list[run_pb2.Problem]:
        """What went wrong with events of a run, oldest first."""
        binds = Binds()
        before = f" AND off < {as_of.bound(binds)}" if as_of is not None else ""
        answer = self._warehouse.select(
            Statement(
                "SELECT writer_id, sequence, reason, message, points, toUnixTimestamp64Milli(ingest_time) AS at"
                f" FROM problems FINAL WHERE namespace = {binds.text(namespace)}"
                f" AND run_id IN {binds.run_ids([run_id])}{before} ORDER BY part, off, place LIMIT {PROBLEMS}",
                binds.values,
            ),
            timeout_seconds=timeout_seconds,
        )
        rows = zip(
            answer.array("writer_id").tolist(), answer.array("sequence").tolist(), answer.array("points").tolist(),
            answer.array("at").tolist(), answer.texts("reason"), answer.texts("message"), strict=True,
        )  # fmt: skip
        return [
            run_pb2.Problem(
                reason=reason, message=message, writer_id=bytes(writer).hex(), sequence=sequence,
                ingest_time_millis=at, points=points,
            )
            for writer, sequence, points, at, reason, message in rows
        ]  # fmt: skip


def _range(
    lowest: float, highest: float, points: int, nans: int, total: float, squares: float,
    first: bytes, low: bytes, high: bytes,
) -> run_pb2.MetricRange:  # fmt: skip
    step, _, value = unpack_point(bytes(first))
    numbers = points - nans
    message = run_pb2.MetricRange(first=value, first_step=step, count=points, nan_count=nans)
    if numbers == 0:
        message.min = message.max = message.mean = message.std = math.nan
        return message
    message.min, message.max, message.mean = lowest, highest, total / numbers
    variance = squares / numbers - message.mean**2
    message.std = math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan
    message.min_step, message.max_step = unpack_low(bytes(low))[1], unpack_high(bytes(high))[1]
    return message
