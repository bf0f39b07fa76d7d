"""Points of a run as events, pure: the same events of the same points each time, whoever sends them.

Pieces of one series are joined, and series that have the same steps and times share an event: a source that logs twenty
metrics a step has twenty columns and one row a step here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2

from fleetlog.importers.protobuf_bytes import field
from fleetlog.importers.source import Points

BATCH_POINTS = 200_000
"""Points that are held in memory and sent together; a piece of the source that is larger is a batch of its own."""
EVENT_BYTES = 450_000
EVENT_COLUMNS = 1_000
_ROW_BYTES = 13
"""Bytes of a row's step and time, about the most that whole steps and milliseconds take."""
I64 = npt.NDArray[np.int64]

_COLUMNS = event_pb2.MetricsLogged.DESCRIPTOR.fields_by_name["columns"].number
_KEY, _VALUES = (event_pb2.MetricColumn.DESCRIPTOR.fields_by_name[name].number for name in ("key", "values"))


def batches(pieces: Iterable[Points], most: int = BATCH_POINTS) -> Iterator[list[Points]]:
    """Pieces in order, joined by key, until they have `most` points."""
    held: dict[str, list[Points]] = {}
    count = 0
    for piece in pieces:
        if not len(piece.steps):
            continue
        held.setdefault(piece.key, []).append(piece)
        count += len(piece.steps)
        if count >= most:
            yield [_joined(key, parts) for key, parts in held.items()]
            held, count = {}, 0
    if held:
        yield [_joined(key, parts) for key, parts in held.items()]


def behind(pieces: Iterable[Points], present: Mapping[str, int]) -> Iterator[Points]:
    """Pieces without the first points of each key, as many as are present."""
    left = dict(present)
    for piece in pieces:
        skipped = min(left.get(piece.key, 0), len(piece.steps))
        if skipped:
            left[piece.key] -= skipped
            piece = Points(piece.key, piece.steps[skipped:], piece.values[skipped:], piece.times[skipped:])
        yield piece


def in_range(points: Points) -> tuple[Points, int]:
    """Points with times from 1970 to 2255, the nearest to those that they had; and how many had others."""
    if len(points.times) == 1:
        # Of runs with one point a metric there are many, and numpy takes longer to look for extremes than all else.
        first = last = points.times.item()
    elif len(points.times):
        first, last = points.times.min(), points.times.max()
    else:
        return points, 0
    if first >= limits.MIN_TIME_MILLIS and last <= limits.MAX_TIME_MILLIS:
        return points, 0
    times = np.clip(points.times, limits.MIN_TIME_MILLIS, limits.MAX_TIME_MILLIS)
    return replace(points, times=times), int(np.count_nonzero(times != points.times))


def events_of(batch: Sequence[Points], observe_time_millis: int) -> Iterator[event_pb2.Event]:
    """Events of a batch, each of at most EVENT_BYTES."""
    groups: dict[tuple[bytes, bytes], list[Points]] = {}
    for points in batch:
        groups.setdefault((points.steps.tobytes(), points.times.tobytes()), []).append(points)
    for group in groups.values():
        for first in range(0, len(group), EVENT_COLUMNS):
            yield from _group_events(group[first : first + EVENT_COLUMNS], observe_time_millis)


def _group_events(group: Sequence[Points], observe_time_millis: int) -> Iterator[event_pb2.Event]:
    steps, times = group[0].steps, group[0].times
    rows = max(1, EVENT_BYTES // (_ROW_BYTES + 8 * len(group)))
    for first, last in _stretches(steps, rows):
        metrics = event_pb2.MetricsLogged(
            step_deltas=_deltas(steps[first:last]), time_deltas_millis=_deltas(times[first:last])
        )
        # As bytes, which the arrays have already: a Python number for each value costs more than all else here.
        metrics.MergeFromString(b"".join(_column(points.key, points.values[first:last]) for points in group))
        yield event_pb2.Event(observe_time_millis=observe_time_millis, metrics_logged=metrics)


def _column(key: str, values: npt.NDArray[np.float64]) -> bytes:
    """A MetricColumn as a field of an encoded MetricsLogged."""
    numbers = values.astype("<f8", copy=False).tobytes()
    return field(_COLUMNS, field(_KEY, key.encode()) + field(_VALUES, numbers))


def _stretches(steps: I64, rows: int) -> Iterator[tuple[int, int]]:
    """Stretches of at most so many rows, cut where two steps are further apart than a difference can say."""
    leaps = np.flatnonzero((steps[1:] > steps[:-1]) != (steps[1:] - steps[:-1] > 0)) + 1
    first = 0
    for end in (*leaps.tolist(), len(steps)):
        while first < end:
            last = min(first + rows, end)
            yield first, last
            first = last


def _deltas(values: I64) -> list[int]:
    """Differences from one to the next, the first from 0."""
    found: list[int] = np.diff(values, prepend=np.int64(0)).tolist()
    return found


def _joined(key: str, parts: Sequence[Points]) -> Points:
    if len(parts) == 1:
        return parts[0]
    return Points(
        key,
        np.concatenate([one.steps for one in parts]),
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.times for one in parts]),
    )
