"""The runs of imported tables as columns, gathered table by table. Only texts take Python for each value."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.rules.imports import I64, PARAM_TYPES, ids_of, rows_of, type_of
from fleetlog_core.warehouse.port import Coded
from fleetlog_core.warehouse.schema import PLACE_BITS, KeyKind
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.params import number_of
from fleetlog_ingest.materializer.fold.points import F64, Points
from fleetlog_ingest.materializer.fold.tables import Columns, coded, in_order

Mask = npt.NDArray[np.bool_]


@dataclass
class ImportColumns:
    """What the kept runs of some tables hold; `runs` of them have an entry in each of the first lists of arrays."""

    runs: int = 0
    namespaces: list[str] = field(default_factory=list)
    """Namespace of each table; the next two lists have an entry for each table too."""
    experiments: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    ids: list[npt.NDArray[np.void]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    starts: list[I64] = field(default_factory=list)
    ends: list[I64] = field(default_factory=list)
    states: list[I64] = field(default_factory=list)
    parents: list[npt.NDArray[np.void]] = field(default_factory=list)
    attrs: _Cells = field(default_factory=lambda: _Cells())
    texts: list[str] = field(default_factory=list)
    metrics: _Cells = field(default_factory=lambda: _Cells())
    steps: list[I64] = field(default_factory=list)
    times: list[I64] = field(default_factory=list)
    """As `steps`; -1 = at the run's end."""
    points: int = 0

    def add(self, namespace: str, offset: int, runs: event_pb2.RunsImported, kept: Mask) -> None:
        """Take the runs of one table, which is right, where `kept` is true (at least one)."""
        ids = ids_of(runs)
        count, new = len(ids), np.cumsum(kept) - 1 + self.runs
        self.namespaces.append(namespace)
        self.experiments.append(runs.experiment_id)
        self.offsets.append(offset)
        self.counts.append(int(kept.sum()))
        self.ids.append(ids[kept])
        self.names += _texts(runs.names, kept, count)
        self.users += _texts(runs.users, kept, count)
        starts = np.array(runs.start_times_millis, dtype=np.int64)
        states = np.array(runs.states, dtype=np.int64)
        ends = np.array(runs.end_times_millis, dtype=np.int64) if runs.end_times_millis else np.zeros(count, np.int64)
        # A run that ended says when, or ended as it began.
        ends = np.where((states != event_pb2.RUN_STATE_RUNNING) & (ends == 0), starts, ends)
        self.starts.append(starts[kept])
        self.ends.append(ends[kept])
        self.states.append(states[kept])
        parents = runs.parent_run_ids or bytes(ID_BYTES * count)
        self.parents.append(np.frombuffer(parents, dtype=f"V{ID_BYTES}")[kept])
        for param in runs.params:
            rows = rows_of(param, count)
            numbers, texts = _param_values(param)
            self._add_texts(KeyKind.PARAM, PARAM_TYPES[type_of(param)], param.key, rows, kept, new, numbers, texts)
        for tag in runs.tags:
            numbers, texts = _text_values(tag.texts)
            self._add_texts(KeyKind.TAG, 0, tag.key, rows_of(tag, count), kept, new, numbers, texts)
        for metric in runs.metrics:
            rows = rows_of(metric, count)
            stays = kept[rows]
            self.metrics.add(0, 0, metric.key, new[rows[stays]], np.array(metric.values, dtype=np.float64)[stays])
            steps = np.array(metric.steps, dtype=np.int64) if metric.steps else np.zeros(len(rows), np.int64)
            self.steps.append(steps[stays])
            times = np.array(metric.times_millis, dtype=np.int64) if metric.times_millis else np.full(len(rows), -1)
            self.times.append(times[stays])
            self.points += int(stays.sum())
        self.runs += self.counts[-1]

    def _add_texts(
        self, kind: int, type_: int, key: str, rows: I64, kept: Mask, new: I64, numbers: F64, texts: list[str]
    ) -> None:
        stays = kept[rows]
        if stays.all():
            self.attrs.add(kind, type_, key, new[rows], numbers)
            self.texts += texts
        elif stays.any():
            self.attrs.add(kind, type_, key, new[rows[stays]], numbers[stays])
            self.texts += [texts[place] for place in np.flatnonzero(stays)]


@dataclass
class _Cells:
    """Values of columns: an entry for each column, and in the arrays one for each value."""

    kinds: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    runs: list[I64] = field(default_factory=list)
    numbers: list[F64] = field(default_factory=list)

    def add(self, kind: int, type_: int, key: str, runs: I64, numbers: F64) -> None:
        """One column."""
        self.kinds.append(kind)
        self.types.append(type_)
        self.keys.append(key)
        self.runs.append(runs)
        self.numbers.append(numbers)

    def spread(self, values: list[int]) -> I64:
        """The entries of columns, for each value."""
        return np.repeat(np.array(values, dtype=np.int64), [len(runs) for runs in self.runs])


@dataclass(frozen=True, slots=True)
class RunColumns:
    """The runs side by side: arrays with an entry for each, and `places`, where each stands by (namespace, id)."""

    namespaces: Coded
    experiments: I64
    offsets: I64
    ids: npt.NDArray[np.void]
    places: I64

    @classmethod
    def of(cls, found: ImportColumns) -> RunColumns:
        """Columns of what was gathered (at least one run)."""
        namespaces = in_order(found.namespaces)
        codes, ids = np.repeat(namespaces.codes, found.counts), np.concatenate(found.ids)
        words = np.frombuffer(ids.tobytes(), dtype=">u8").reshape(-1, 2)
        places = np.empty(len(ids), dtype=np.int64)
        places[np.lexsort((words[:, 1], words[:, 0], codes))] = np.arange(len(ids))
        return cls(
            Coded(codes, namespaces.texts),
            np.repeat(np.array(found.experiments, dtype=np.int64), found.counts),
            np.repeat(np.array(found.offsets, dtype=np.int64), found.counts),
            ids,
            places,
        )

    def namespaces_at(self, runs: I64) -> Coded:
        """The namespaces of some runs."""
        return Coded(self.namespaces.codes[runs], self.namespaces.texts)


def attr_columns(found: ImportColumns, of: RunColumns) -> Columns | None:
    """Params and tags as rows of `attrs`, column by column: sorting them here costs what it spares the warehouse."""
    cells = found.attrs
    if not found.texts:
        return None
    runs, keys = np.concatenate(cells.runs), coded(cells.keys)
    versions = np.zeros((len(runs), 4), dtype="<u8")
    versions[:, 0] = of.offsets[runs] << PLACE_BITS
    return {
        "namespace": of.namespaces_at(runs),
        "experiment": of.experiments[runs].astype(np.uint32),
        "kind": cells.spread(cells.kinds).astype(np.uint8),
        "key": Coded(cells.spread(keys.codes.tolist()).astype(np.uint32), keys.texts),
        "run_id": of.ids[runs],
        "num": np.concatenate(cells.numbers),
        "str": found.texts,
        "type": cells.spread(cells.types).astype(np.uint8),
        "removed": np.zeros(len(runs), dtype=np.uint8),
        "ver": versions.reshape(-1).view("V32"),
    }


def points_of(found: ImportColumns, of: RunColumns) -> Points | None:
    """The metrics as points, one of each series."""
    cells = found.metrics
    if not found.points:
        return None
    runs, keys = np.concatenate(cells.runs), in_order(cells.keys)
    codes = cells.spread(keys.codes.tolist())
    order = np.argsort(of.places[runs] * len(keys.texts) + codes, kind="stable")
    runs = runs[order]
    starts, ends = np.concatenate(found.starts), np.concatenate(found.ends)
    own = np.concatenate(found.times)[order]
    return Points(
        namespaces=of.namespaces_at(runs),
        run_ids=of.ids[runs],
        experiments=of.experiments[runs].astype(np.uint32),
        keys=Coded(codes[order].astype(np.uint32), keys.texts),
        starts=np.arange(len(runs)),
        counts=np.ones(len(runs), dtype=np.int64),
        steps=np.concatenate(found.steps)[order],
        times=np.where(own < 0, np.where(ends != 0, ends, starts)[runs], own),
        values=np.concatenate(cells.numbers)[order],
        ranks=np.full(len(runs), -1, dtype=np.int32),
        offsets=of.offsets[runs],
    )


def run_columns(found: ImportColumns, of: RunColumns) -> Columns:
    """Rows of `runs`."""
    return {
        "namespace": of.namespaces,
        "experiment": of.experiments.astype(np.uint32),
        "run_id": of.ids,
        "name": found.names,
        "user": coded(found.users),
        "state": np.concatenate(found.states).astype(np.uint8),
        "start_time": np.concatenate(found.starts),
        "end_time": np.concatenate(found.ends),
        "parent_run_id": np.concatenate(found.parents),
        "deleted": np.zeros(found.runs, dtype=np.uint8),
        "started": np.ones(found.runs, dtype=np.uint8),
        "delete_time": np.zeros(found.runs, dtype=np.int64),
        "endings": [""] * found.runs,
        "ver": of.offsets.astype(np.uint64),
    }


def _texts(values: event_pb2.TextValues, kept: Mask, count: int) -> list[str]:
    """One a run that is kept; empty ones where there are none."""
    texts = list(values.texts)
    if not texts:
        return [""] * int(kept.sum())
    codes = values.codes or range(count)
    if kept.all():
        return [texts[code] for code in codes] if values.codes else texts
    return [texts[codes[place]] for place in np.flatnonzero(kept).tolist()]


def _param_values(param: event_pb2.ImportedParams) -> tuple[F64, list[str]]:
    """Numbers and canonical texts, as params.values_of gives them."""
    kind = type_of(param)
    if kind == "texts":
        return _text_values(param.texts)
    if kind == "reals":
        reals = list(param.reals)
        numbers = np.array(reals, dtype=np.float64)
        numbers[np.isnan(numbers)] = np.nan
        return numbers, list(map(repr, reals))
    if kind == "wholes":
        wholes = list(param.wholes)
        return np.array(wholes, dtype=np.float64), list(map(str, wholes))
    truths = list(param.truths)
    return np.full(len(truths), np.nan), ["true" if truth else "false" for truth in truths]


def _text_values(values: event_pb2.TextValues) -> tuple[F64, list[str]]:
    texts = list(values.texts)
    numbers = np.array(list(map(number_of, texts)), dtype=np.float64)
    if not values.codes:
        return numbers, texts
    codes = list(values.codes)
    return numbers[codes], [texts[code] for code in codes]
