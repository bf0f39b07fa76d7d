"""From items to frames, pure: rows that share their keys become one table, sequences are given out here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog.outbox import Fact, Item, Marker, Row, Slice, Writer

FRAME_POINTS = 100_000
FRAME_BYTES = 1_000_000
ROWS_PER_EVENT = 5_000


def deltas(values: Sequence[int]) -> list[int]:
    """Differences from one to the next, the first from 0."""
    if not isinstance(values, (list, tuple)):
        array: Any = values
        values = array.tolist()
    return [values[0], *map(int.__sub__, values[1:], values[:-1])]


def rows_event(rows: Sequence[Row]) -> event_pb2.Event:
    """One event of rows that have the same keys."""
    metrics = event_pb2.MetricsLogged(
        step_deltas=deltas([row.step for row in rows]), time_deltas_millis=deltas([row.time_millis for row in rows])
    )
    for key, values in zip(rows[0].keys, zip(*[row.values for row in rows], strict=True), strict=True):
        metrics.columns.add(key=key, values=values)
    return event_pb2.Event(observe_time_millis=rows[0].time_millis, metrics_logged=metrics)


def slice_event(item: Slice) -> event_pb2.Event:
    """One event of a piece of a series."""
    metrics = event_pb2.MetricsLogged(step_deltas=deltas(item.steps))
    if item.times is not None:
        metrics.time_deltas_millis.extend(deltas(item.times))
    values = item.values if isinstance(item.values, list) else item.values.tolist()
    metrics.columns.add(key=item.key, values=values)
    return event_pb2.Event(observe_time_millis=item.time_millis, metrics_logged=metrics)


def _told(
    writer: Writer, make: Callable[[Any], event_pb2.Event], what: object, points: int
) -> Iterable[tuple[Writer, event_pb2.Event, int]]:
    """The event; or, when it can't be made (steps further apart than int64), what was lost by that."""
    try:
        event = make(what)
    except ValueError:
        loss = event_pb2.LossReported(points=points, reason="STEPS_TOO_FAR_APART")
        yield writer, event_pb2.Event(loss_reported=loss), 0
        return
    yield writer, event, points


class Framer:
    """Makes frames of items in order. Nothing is kept between calls but the writers' sequences."""

    def frames(self, items: Iterable[Item]) -> Iterable[tuple[Writer, frame_pb2.Frame] | Marker]:
        """The frames, and each marker behind the frames of what was put before it."""
        frame: frame_pb2.Frame | None = None
        writer: Writer | None = None
        size = 0
        for event_writer, event, points in self._events(items):
            if isinstance(event, Marker) or event_writer is None:
                if frame is not None and writer is not None:
                    yield writer, frame
                    frame = None
                if isinstance(event, Marker):
                    yield event
                continue
            weight = points * 8 + (event.ByteSize() if points < 1000 else 0)
            if frame is not None and writer is not None and (event_writer is not writer or size + weight > FRAME_BYTES):
                yield writer, frame
                frame = None
            if frame is None:
                writer, size = event_writer, 0
                frame = frame_pb2.Frame(
                    namespace=event_writer.namespace,
                    run_id=event_writer.run_id,
                    writer_id=event_writer.writer_id,
                    rank=event_writer.rank,
                )
            event.sequence = event_writer.next_sequence
            event_writer.next_sequence += 1
            frame.events.append(event)
            size += weight
        if frame is not None and writer is not None:
            yield writer, frame

    def _events(self, items: Iterable[Item]) -> Iterable[tuple[Writer | None, event_pb2.Event | Marker, int]]:
        rows: list[Row] = []
        for item in items:
            if isinstance(item, Row):
                last = rows[-1] if rows else None
                if last is not None and (
                    item.writer is not last.writer or item.keys != last.keys or len(rows) >= ROWS_PER_EVENT
                ):
                    yield from _told(last.writer, rows_event, rows, len(rows) * len(last.keys))
                    rows = []
                rows.append(item)
                continue
            if rows:
                yield from _told(rows[0].writer, rows_event, rows, len(rows) * len(rows[0].keys))
                rows = []
            if isinstance(item, Marker):
                yield None, item, 0
            elif isinstance(item, Slice):
                yield from _told(item.writer, slice_event, item, len(item.values))
            elif isinstance(item, Fact):
                yield item.writer, item.event, 1
        if rows:
            yield from _told(rows[0].writer, rows_event, rows, len(rows) * len(rows[0].keys))
