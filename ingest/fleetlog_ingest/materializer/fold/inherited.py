"""What branches know of metrics without reading points: SeriesInherited as rows of `series` and `attrs`. Pure.

They are added up with the branch's own points as any two batches are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from fleetlog_core.ordered import order_steps, order_values, pack128, pack192
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.metric_attrs import metric_attrs
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.fold.table_schemas import coded, fixed16
from fleetlog_ingest.materializer.fold.tables import Columns

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class InheritedSink:
    """Takes the metrics of one event after another."""

    def __init__(self) -> None:
        # An entry for each series:
        self._keys: list[RunKey] = []
        self._experiments: list[int] = []
        self._offsets: list[int] = []
        self._series: list[event_pb2.InheritedSeries] = []

    def add(self, key: RunKey, experiment: int, offset: int, series: Sequence[event_pb2.InheritedSeries]) -> None:
        """Metrics of one branch."""
        self._keys += [key] * len(series)
        self._experiments += [experiment] * len(series)
        self._offsets += [offset] * len(series)
        self._series += series

    def finish(self) -> tuple[Columns, Columns] | None:
        """Rows of `series` and of `attrs` (kind 3); None when there are none."""
        if not self._series:
            return None
        found = self._series
        owners: Columns = {
            "namespace": coded([namespace for namespace, _ in self._keys]),
            "experiment": np.array(self._experiments, dtype=np.uint32),
            "key": coded([one.key for one in found]),
            "run_id": fixed16([run_id for _, run_id in self._keys]),
        }
        points = np.array([one.points for one in found], dtype=np.uint64)
        nans = np.array([one.nan_points for one in found], dtype=np.uint64)
        none = points == nans
        minima = np.array([one.min for one in found], dtype=np.float64)
        maxima = np.array([one.max for one in found], dtype=np.float64)
        min_steps = order_steps(np.array([one.min_step for one in found], dtype=np.int64))
        max_steps = order_steps(np.array([one.max_step for one in found], dtype=np.int64))
        last = _packed([one.last for one in found])
        series: Columns = {
            **owners,
            "minv": np.where(none, np.inf, minima) + 0.0,
            "maxv": np.where(none, -np.inf, maxima) + 0.0,
            "n": points,
            "nans": nans,
            "total": np.array([one.total for one in found], dtype=np.float64),
            "squares": np.array([one.squares for one in found], dtype=np.float64),
            "first": _packed([one.first for one in found]),
            "last": last,
            "low": pack128(np.where(none, _ALL, order_values(minima)), np.where(none, _ALL, min_steps)),
            "high": pack128(
                np.where(none, np.uint64(0), order_values(maxima)), np.where(none, np.uint64(0), ~max_steps)
            ),
            "until": np.array(self._offsets, dtype=np.uint64) + np.uint64(1),
        }
        latest = np.array([one.last.value for one in found], dtype=np.float64)
        return series, metric_attrs(owners, latest, last)


def _packed(points: Sequence[event_pb2.MetricPoint]) -> npt.NDArray[np.void]:
    steps = np.array([point.step for point in points], dtype=np.int64)
    times = np.array([point.time_millis for point in points], dtype=np.int64)
    values = np.array([point.value for point in points], dtype=np.float64)
    return pack192(order_steps(steps), order_steps(times), order_values(values))
