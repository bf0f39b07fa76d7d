"""From items to frames, pure: rows that have the same keys become one table, sequences are given out here.

Whatever is put comes out: steps that are further apart than a difference can say, tables that are too large and rows
with too many columns are cut in halves until they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog._events.grouping import by_keys
from fleetlog._events.items import Fact, Item, Loss, Marker, Row, Slice, Writer

FRAME_POINTS = 100_000
FRAME_BYTES = 1_000_000
"""Frames are at most so large; one with a small file may be larger by it, and is within the gateway's limit."""
HEAD_BYTES = 200
"""What a frame has around its events, at the most."""
EVENT_HEAD_BYTES = 32
"""What an event has in a frame beside what it had before, at the most: sequence, experiment, lengths."""
ROWS_PER_EVENT = 5_000


def deltas(values: Sequence[int]) -> list[int]:
    """Differences from one to the next, the first from 0."""
    if not isinstance(values, (list, tuple)):
        array: Any = values
        values = array.tolist()
    return [values[0], *map(int.__sub__, values[1:], values[:-1])]


def rows_event(rows: Sequence[Row]) -> event_pb2.Event:
    """One event of rows that have the same keys. ValueError: steps too far apart."""
    metrics = event_pb2.MetricsLogged(
        step_deltas=deltas([row.step for row in rows]), time_deltas_millis=deltas([row.time_millis for row in rows])
    )
    for key, values in zip(rows[0].keys, zip(*[row.values for row in rows], strict=True), strict=True):
        metrics.columns.add(key=key, values=values)
    return event_pb2.Event(observe_time_millis=rows[0].time_millis, metrics_logged=metrics)


def slice_event(item: Slice) -> event_pb2.Event:
    """One event of a piece of a series. ValueError: steps too far apart."""
    metrics = event_pb2.MetricsLogged(step_deltas=deltas(item.steps))
    if item.times is not None:
        metrics.time_deltas_millis.extend(deltas(item.times))
    values = item.values if isinstance(item.values, list) else item.values.tolist()
    metrics.columns.add(key=item.key, values=values)
    return event_pb2.Event(observe_time_millis=item.time_millis, metrics_logged=metrics)


def loss_event(points: int, events: int, reason: str) -> event_pb2.Event:
    """What a run is told of a loss."""
    return event_pb2.Event(loss_reported=event_pb2.LossReported(points=points, events=events, reason=reason))


Sized = tuple[event_pb2.Event, int]
"""An event and its encoded size."""


def _rows_events(rows: Sequence[Row]) -> Iterable[Sized]:
    keys = rows[0].keys
    if len(keys) <= limits.COLUMNS_PER_EVENT:
        try:
            event = rows_event(rows)
        except ValueError:
            if len(rows) == 1:
                raise
        else:
            size = event.ByteSize()
            if size <= FRAME_BYTES - HEAD_BYTES - EVENT_HEAD_BYTES:
                yield event, size
                return
    if len(rows) > 1:
        half = len(rows) // 2
        yield from _rows_events(rows[:half])
        yield from _rows_events(rows[half:])
        return
    row, half = rows[0], len(keys) // 2
    for part in (slice(None, half), slice(half, None)):
        yield from _rows_events([Row(row.writer, keys[part], row.values[part], row.step, row.time_millis)])


def _slice_events(item: Slice) -> Iterable[Sized]:
    try:
        event = slice_event(item)
    except ValueError:
        if len(item.values) == 1:
            raise
    else:
        size = event.ByteSize()
        if size <= FRAME_BYTES - HEAD_BYTES - EVENT_HEAD_BYTES:
            yield event, size
            return
    half = len(item.values) // 2
    for part in (slice(None, half), slice(half, None)):
        times = None if item.times is None else item.times[part]
        piece = Slice(item.writer, item.key, item.steps[part], item.values[part], times, item.time_millis)
        yield from _slice_events(piece)


def _events(items: Iterable[Row | Slice | Fact | Loss]) -> Iterable[Sized]:
    """The events of items that are framed together: rows of one event, or one other item."""
    rows: list[Row] = []
    for item in items:
        if isinstance(item, Row):
            rows.append(item)
        elif isinstance(item, Slice):
            yield from _slice_events(item)
        elif isinstance(item, Loss):
            event = loss_event(item.lost_points, item.lost_events, item.reason)
            yield event, event.ByteSize()
        else:
            size = item.event.ByteSize()
            if size > limits.FRAME_BYTES - HEAD_BYTES - EVENT_HEAD_BYTES:
                event = loss_event(0, 1, "EVENT_TOO_LARGE")
                yield event, event.ByteSize()
            else:
                yield item.event, size
    if rows:
        yield from _rows_events(rows)


def _groups(items: Iterable[Item]) -> Iterable[Marker | list[Row | Slice | Fact | Loss]]:
    """Neighbouring rows of a writer by their keys, everything else by itself."""
    rows: list[Row] = []
    for item in items:
        if isinstance(item, Row) and (not rows or item.writer is rows[0].writer):
            rows.append(item)
            continue
        yield from by_keys(rows, ROWS_PER_EVENT)
        if isinstance(item, Row):
            rows = [item]
        else:
            rows = []
            yield item if isinstance(item, Marker) else [item]
    yield from by_keys(rows, ROWS_PER_EVENT)


Made = tuple[Writer, frame_pb2.Frame] | Marker
Lost = Callable[[Writer, Sequence[Item], Exception], None]


def _set_back(sequences: Mapping[Writer, int]) -> None:
    for writer, sequence in sequences.items():
        writer.next_sequence = sequence


def _by_neighbour(items: Iterable[Item]) -> Iterable[list[Item]]:
    """Neighbours of one writer together; markers by themselves."""
    for _, group in groupby(items, lambda item: id(item if isinstance(item, Marker) else item.writer)):
        yield list(group)


class Framer:
    """Makes frames of items in order. Nothing is kept between calls but the writers' sequences."""

    def all_frames(self, items: Sequence[Item], lost: Lost) -> list[Made]:
        """As `frames`, all of them: an exception leaves the sequences as they were, so that it can be done again.

        A writer of which no frame can be made costs its own items alone; `lost` is told.
        """
        sequences = {item.writer: item.writer.next_sequence for item in items if not isinstance(item, Marker)}
        try:
            return list(self.frames(items))
        except (MemoryError, RecursionError):
            _set_back(sequences)
            raise
        except Exception:
            _set_back(sequences)
        except BaseException:
            _set_back(sequences)
            raise
        try:
            return [made for group in _by_neighbour(items) for made in self._frames_of_one(group, lost)]
        except BaseException:
            _set_back(sequences)
            raise

    def _frames_of_one(self, items: Sequence[Item], lost: Lost) -> list[Made]:
        """Frames of one writer's items; none when they can't be made."""
        first = items[0]
        sequence = 0 if isinstance(first, Marker) else first.writer.next_sequence
        try:
            return list(self.frames(items))
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            if isinstance(first, Marker):
                raise
            first.writer.next_sequence = sequence
            lost(first.writer, items, error)
            return []

    def frames(self, items: Iterable[Item]) -> Iterable[tuple[Writer, frame_pb2.Frame] | Marker]:
        """The frames, and each marker behind the frames of what was put before it."""
        frame: frame_pb2.Frame | None = None
        writer: Writer | None = None
        size = 0
        for group in _groups(items):
            if isinstance(group, Marker):
                if frame is not None and writer is not None:
                    yield writer, frame
                frame = None
                yield group
                continue
            author = group[0].writer
            for event, bare_size in _told(group):
                event_size = bare_size + EVENT_HEAD_BYTES
                if (
                    frame is not None
                    and writer is not None
                    and (
                        author is not writer
                        or size + event_size > FRAME_BYTES
                        or len(frame.events) == limits.EVENTS_PER_FRAME
                    )
                ):
                    yield writer, frame
                    frame = None
                if frame is None:
                    writer, size = author, HEAD_BYTES
                    frame = frame_pb2.Frame(
                        namespace=author.namespace,
                        run_id=author.run_id,
                        writer_id=author.writer_id,
                        rank=author.rank,
                        subject=author.subject,
                    )
                event.sequence = author.next_sequence
                author.next_sequence += 1
                frame.events.append(event)
                size += event_size
        if frame is not None and writer is not None:
            yield writer, frame


def _told(group: Sequence[Row | Slice | Fact | Loss]) -> Iterable[Sized]:
    """The events of a group. What can't be encoded, for whatever reason, costs itself alone and is told."""
    try:
        return list(_events(group))
    except (MemoryError, RecursionError):
        # A shortage says nothing of what is framed.
        raise
    except Exception:
        if len(group) > 1:
            return [sized for item in group for sized in _told([item])]
        event = loss_event(group[0].points, int(not group[0].points), "NOT_ENCODABLE")
        return [(event, event.ByteSize())]
