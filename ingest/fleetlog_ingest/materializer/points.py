"""The points of a batch as columns, gathered series by series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Coded
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.tables import Columns, coded, fixed16

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

SHORT_ROWS = 64
"""Columns below this go into one list and become an array together: numpy takes 2 us for each array it makes."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points by (namespace, run, key), and within a series in the order of the log.

    The first four lists have an entry for each series; `starts` is the place of its first point and `counts` the
    number of its points. The arrays have an entry for each point.
    """

    namespaces: list[str]
    run_ids: list[bytes]
    experiments: list[int]
    keys: list[str]
    starts: I64
    counts: I64
    steps: I64
    times: I64
    values: F64
    ranks: npt.NDArray[np.int32]
    offsets: I64

    def columns(self, partition: int) -> Columns:
        """As rows of the table `points`."""
        namespaces, keys = coded(self.namespaces), coded(self.keys)
        return {
            "namespace": Coded(np.repeat(namespaces.codes, self.counts), namespaces.texts),
            "run_id": np.repeat(_array(fixed16(self.run_ids)), self.counts),
            "key": Coded(np.repeat(keys.codes, self.counts), keys.texts),
            "step": self.steps,
            "ts": self.times,
            "value": self.values,
            "rank": self.ranks,
            "part": np.full(len(self.steps), partition, dtype=np.uint16),
            "off": self.offsets,
        }


def _array(column: object) -> npt.NDArray[Any]:
    if not isinstance(column, np.ndarray):
        raise TypeError("not an array")
    return column


class PointSink:
    """Takes the columns of MetricsLogged events one after another. No work is done per point in Python."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, bytes, str], int] = {}
        self._experiments: list[int] = []
        self._series: list[int] = []
        self._offsets: list[int] = []
        self._ranks: list[int] = []
        self._steps: list[I64] = []
        self._times: list[I64] = []
        self._values: list[F64 | None] = []
        self._short: list[float] = []

    def add(
        self,
        namespace: str,
        run_id: bytes,
        experiment: int,
        rank: int,
        offset: int,
        metrics: event_pb2.MetricsLogged,
        default_time: int,
    ) -> bool:
        """Take one event. False, and nothing taken, when its columns are not of one length."""
        steps = np.array(metrics.step_deltas, dtype=np.int64)
        rows = len(steps)
        columns = [(column.key, column.values) for column in metrics.columns]
        times = np.array(metrics.time_deltas_millis, dtype=np.int64)
        if rows == 0 or (len(times) not in (0, rows)) or any(len(values) != rows for _, values in columns):
            return False
        if rows > 1:
            np.cumsum(steps, out=steps)
        if len(times) == 0:
            times = np.full(rows, default_time, dtype=np.int64)
        elif rows > 1:
            np.cumsum(times, out=times)
        places = self._places
        for key, values in columns:
            series = (namespace, run_id, key)
            place = places.get(series)
            if place is None:
                place = places[series] = len(places)
                self._experiments.append(experiment)
            self._series.append(place)
            if rows < SHORT_ROWS:
                self._short.extend(values)
                self._values.append(None)
            else:
                self._values.append(np.array(values, dtype=np.float64))
        count = len(columns)
        self._steps += [steps] * count
        self._times += [times] * count
        self._offsets += [offset] * count
        self._ranks += [rank] * count
        return True

    def finish(self) -> Points | None:
        """Everything that was taken; None when that is nothing."""
        if not self._series:
            return None
        names = list(self._places)
        in_order = sorted(range(len(names)), key=names.__getitem__)
        order_of = np.empty(len(names), dtype=np.int64)
        order_of[in_order] = np.arange(len(names))
        series = order_of[np.array(self._series, dtype=np.int64)]
        pieces = np.argsort(series, kind="stable")
        lengths = np.fromiter(map(len, self._steps), np.int64, len(self._steps))[pieces]
        values = self._all_values()
        counts = np.bincount(series[pieces], weights=lengths, minlength=len(names)).astype(np.int64)
        order = pieces.tolist()
        return Points(
            namespaces=[names[place][0] for place in in_order],
            run_ids=[names[place][1] for place in in_order],
            experiments=[self._experiments[place] for place in in_order],
            keys=[names[place][2] for place in in_order],
            starts=np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)[:-1])),
            counts=counts,
            steps=np.concatenate([self._steps[place] for place in order]),
            times=np.concatenate([self._times[place] for place in order]),
            values=np.concatenate([values[place] for place in order]),
            ranks=np.repeat(np.array(self._ranks, dtype=np.int32)[pieces], lengths),
            offsets=np.repeat(np.array(self._offsets, dtype=np.int64)[pieces], lengths),
        )

    def _all_values(self) -> list[F64]:
        short, found, at = np.array(self._short, dtype=np.float64), [], 0
        for values, steps in zip(self._values, self._steps, strict=True):
            if values is None:
                values = short[at : at + len(steps)]
                at += len(steps)
            found.append(values)
        return found
