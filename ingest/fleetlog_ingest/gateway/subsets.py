"""Some runs of a table of runs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.rules.imports import I64, ids_of, rows_of, type_of
from fleetlog_proto.v1 import event_pb2

T = TypeVar("T")
Mask = npt.NDArray[np.bool_]


def subset(runs: event_pb2.RunsImported, kept: Mask) -> event_pb2.RunsImported:
    """The runs where `kept` is true (at least one), in their order."""
    if kept.all():
        return runs
    places = np.flatnonzero(kept).tolist()
    found = event_pb2.RunsImported(
        experiment_id=runs.experiment_id,
        run_ids=ids_of(runs)[kept].tobytes(),
        start_times_millis=_at(runs.start_times_millis, places),
        states=_at(runs.states, places),
    )
    if runs.end_times_millis:
        found.end_times_millis.extend(_at(runs.end_times_millis, places))
    if runs.parent_run_ids:
        found.parent_run_ids = np.frombuffer(runs.parent_run_ids, dtype=f"V{ID_BYTES}")[kept].tobytes()
    for texts, into in ((runs.names, found.names), (runs.users, found.users)):
        if texts.texts:
            into.CopyFrom(_texts_at(texts, places))
    new = np.cumsum(kept) - 1
    for param in runs.params:
        rows, at = _rows_at(rows_of(param, len(kept)), kept, new)
        if at:
            into_param = found.params.add(key=param.key, rows=rows if param.rows else ())
            kind = type_of(param)
            if kind == "texts":
                into_param.texts.CopyFrom(_texts_at(param.texts, at))
            else:
                getattr(into_param, kind).extend(_at(getattr(param, kind), at))
    for tag in runs.tags:
        rows, at = _rows_at(rows_of(tag, len(kept)), kept, new)
        if at:
            found.tags.add(key=tag.key, rows=rows if tag.rows else (), texts=_texts_at(tag.texts, at))
    for metric in runs.metrics:
        rows, at = _rows_at(rows_of(metric, len(kept)), kept, new)
        if at:
            found.metrics.add(
                key=metric.key,
                rows=rows if metric.rows else (),
                values=_at(metric.values, at),
                steps=_at(metric.steps, at) if metric.steps else (),
                times_millis=_at(metric.times_millis, at) if metric.times_millis else (),
            )
    return found


def _rows_at(rows: I64, kept: Mask, new: I64) -> tuple[list[int], list[int]]:
    """The places of the runs that stay, among those that do, and the places of their values."""
    stays = kept[rows]
    return new[rows[stays]].tolist(), np.flatnonzero(stays).tolist()


def _at(values: Sequence[T], places: Sequence[int]) -> list[T]:
    return [values[place] for place in places]


def _texts_at(values: event_pb2.TextValues, places: Sequence[int]) -> event_pb2.TextValues:
    if not values.codes:
        return event_pb2.TextValues(texts=_at(values.texts, places))
    codes = _at(values.codes, places)
    used = {code: place for place, code in enumerate(dict.fromkeys(codes))}
    return event_pb2.TextValues(texts=[values.texts[code] for code in used], codes=[used[code] for code in codes])
