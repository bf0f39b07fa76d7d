"""The points of a batch as columns, gathered event by event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Coded
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.table_schemas import fixed16, in_order
from fleetlog_ingest.materializer.fold.tables import Columns

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

SHORT_ROWS = 64
"""Columns below this go into one list and become an array together: numpy takes 2 us for each array it makes."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points by (namespace, run, key), and within a series in the order of the log.

    The first four have an entry for each series; `starts` is the place of its first point and `counts` the number of
    its points. The others have an entry for each point.
    """

    namespaces: Coded
    run_ids: npt.NDArray[np.void]
    experiments: npt.NDArray[np.uint32]
    keys: Coded
    starts: I64
    counts: I64
    steps: I64
    times: I64
    values: F64
    ranks: npt.NDArray[np.int32]
    offsets: I64

    def columns(self, partition: int) -> Columns:
        """As rows of the table `points`."""
        return {
            "namespace": Coded(np.repeat(self.namespaces.codes, self.counts), self.namespaces.texts),
            "run_id": np.repeat(self.run_ids, self.counts),
            "key": Coded(np.repeat(self.keys.codes, self.counts), self.keys.texts),
            "step": self.steps,
            "ts": self.times,
            "value": self.values,
            "rank": self.ranks,
            "part": np.full(len(self.steps), partition, dtype=np.uint16),
            "off": self.offsets,
        }


class _Values:
    """One array of what comes in pieces."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._dtype = dtype
        self._short: list[Any] = []
        self._parts: list[npt.NDArray[Any]] = []

    def add_short(self, values: Iterable[object]) -> None:
        """A piece of a few, each of which the type holds."""
        self._short.extend(values)

    def add(self, values: npt.NDArray[Any]) -> None:
        """A piece of many."""
        self._flush()
        self._parts.append(values)

    def all(self) -> npt.NDArray[Any]:
        """All pieces (at least one) in their order."""
        self._flush()
        return np.concatenate(self._parts)

    def _flush(self) -> None:
        if self._short:
            self._parts.append(np.array(self._short, dtype=self._dtype))
            self._short = []


class PointSink:
    """Takes the columns of MetricsLogged events one after another. No work is done per point in Python."""

    def __init__(self) -> None:
        # An entry for each run: its place, and the places of its series by key.
        self._runs: dict[tuple[str, bytes], tuple[int, dict[str, int]]] = {}
        self._experiments: list[int] = []
        # An entry for each series: its key and its run.
        self._keys: list[str] = []
        self._owners: list[int] = []
        # An entry for each column of an event: its series.
        self._series: list[int] = []
        # An entry for each event: offset, rank, rows, columns.
        self._events: list[tuple[int, int, int, int]] = []
        self._steps = _Values(np.int64)
        self._times = _Values(np.int64)
        self._values = _Values(np.float64)

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
        rows, times = len(metrics.step_deltas), len(metrics.time_deltas_millis)
        columns = [column.values for column in metrics.columns]
        if rows == 0 or times not in (0, rows) or not {rows}.issuperset(map(len, columns)):
            return False
        if not columns:
            return True
        self._add_series(namespace, run_id, experiment, [column.key for column in metrics.columns])
        self._events.append((offset, rank, rows, len(columns)))
        if rows == 1:
            self._steps.add_short((metrics.step_deltas[0],))
            self._times.add_short((metrics.time_deltas_millis[0] if times else default_time,))
            self._values.add_short([values[0] for values in columns])
            return True
        self._steps.add(np.cumsum(np.array(metrics.step_deltas, dtype=np.int64)))
        if times:
            self._times.add(np.cumsum(np.array(metrics.time_deltas_millis, dtype=np.int64)))
        else:
            self._times.add(np.full(rows, default_time, dtype=np.int64))
        if rows < SHORT_ROWS:
            short: list[float] = []
            for values in columns:
                # Protobuf hands out a slice in less time than the values one by one.
                short += values[:]
            self._values.add_short(short)
        else:
            for values in columns:
                self._values.add(np.array(values, dtype=np.float64))
        return True

    def _add_series(self, namespace: str, run_id: bytes, experiment: int, keys: Sequence[str]) -> None:
        run = self._runs.get((namespace, run_id))
        if run is None:
            run = self._runs[(namespace, run_id)] = (len(self._runs), {})
            self._experiments.append(experiment)
        owner, places = run
        new = range(len(self._keys), len(self._keys) + len(keys))
        if not places:
            # The first event of a run, as of most small ones it is the only one.
            places.update(zip(keys, new, strict=True))
            if len(places) == len(keys):
                self._keys += keys
                self._owners += [owner] * len(keys)
                self._series += new
                return
            places.clear()
        for key in keys:
            place = places.get(key)
            if place is None:
                place = places[key] = len(self._keys)
                self._keys.append(key)
                self._owners.append(owner)
            self._series.append(place)

    def finish(self) -> Points | None:
        """Everything that was taken; None when that is nothing."""
        if not self._series:
            return None
        names = list(self._runs)
        runs = sorted(range(len(names)), key=names.__getitem__)
        owners, keys = np.array(self._owners, dtype=np.int64), in_order(self._keys)
        order = np.lexsort((keys.codes, _places(runs)[owners]))
        owner = owners[order]
        # The columns, by series and then by the log.
        series = _places(order)[np.array(self._series, dtype=np.int64)]
        pieces = np.argsort(series, kind="stable")
        offsets, ranks, rows, widths = np.array(self._events, dtype=np.int64).T
        event = np.repeat(np.arange(len(rows)), widths)
        lengths, values_at, steps_at = rows[event], _starts(rows[event]), _starts(rows)[event]
        counts = np.bincount(series, weights=lengths, minlength=len(order)).astype(np.int64)
        lengths, event = lengths[pieces], event[pieces]
        within = np.arange(int(lengths.sum())) - np.repeat(_starts(lengths), lengths)
        steps = np.repeat(steps_at[pieces], lengths) + within
        namespaces = in_order([namespace for namespace, _ in names])
        return Points(
            namespaces=Coded(namespaces.codes[owner], namespaces.texts),
            run_ids=np.asarray(fixed16([run_id for _, run_id in names]))[owner],
            experiments=np.array(self._experiments, dtype=np.uint32)[owner],
            keys=Coded(keys.codes[order], keys.texts),
            starts=_starts(counts),
            counts=counts,
            steps=self._steps.all()[steps],
            times=self._times.all()[steps],
            values=self._values.all()[np.repeat(values_at[pieces], lengths) + within],
            ranks=np.repeat(ranks[event].astype(np.int32), lengths),
            offsets=np.repeat(offsets[event], lengths),
        )


def _starts(lengths: I64) -> I64:
    """Where each of neighbouring pieces begins."""
    starts: I64 = np.cumsum(lengths) - lengths
    return starts


def _places(order: Sequence[int] | I64) -> I64:
    """The inverse of an order: where each one stands in it."""
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places
