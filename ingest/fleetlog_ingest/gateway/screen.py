"""Screens a frame: what is wrong with it, and the frame that the log keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from fleetlog_core import limits
from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted
from fleetlog_core.rules.events import check_event, extent
from fleetlog_core.rules.frames import check_frame
from fleetlog_core.rules.names import check_namespace
from fleetlog_proto.v1 import event_pb2, frame_pb2

_SAFE = float(1 << 62)
_SMALL = 64
TOLD_IN_FULL = 100
"""Refusals of a frame with their whole message; those after them have 100 characters of it."""


def fast_extent(deltas: Iterable[int]) -> tuple[int, int]:
    """As rules.events.extent, without Python per value unless the sums come near the ends of int64."""
    values = np.array(deltas, dtype=np.int64)
    if len(values) < _SMALL or np.abs(values.astype(np.float64)).sum() > _SAFE:
        return extent(values.tolist())
    sums = np.cumsum(values)
    return int(sums.min()), int(sums.max())


@dataclass
class Screened:
    """A frame that may be logged: its bytes, and its events that were refused, which are EventRefused in them."""

    value: bytes
    last_sequence: int
    events: int
    points: int
    refused: list[tuple[int, FleetlogError]] = field(default_factory=list)


def screen(frame: frame_pb2.Frame, size_bytes: int, ingest_time_millis: int) -> Screened:
    """Check the frame, of encoded `size_bytes`, and each event. FleetlogError when it can't be taken as a whole.

    Fills in the frame's namespace and ingest time.
    """
    if size_bytes > limits.FRAME_BYTES:
        raise ResourceExhausted(
            "FRAME_TOO_LARGE", f"the frame has {size_bytes:,} bytes, at most {limits.FRAME_BYTES:,}; send several"
        )
    frame.namespace = check_namespace(frame.namespace, "frame.namespace")
    check_frame(frame)
    frame.ingest_time_millis = ingest_time_millis
    points = 0
    refused: list[tuple[int, FleetlogError]] = []
    for place, event in enumerate(frame.events):
        try:
            points += check_event(event, f"frame.events[{place}]", fast_extent)
        except InvalidArgument as error:
            told = error if len(refused) < TOLD_IN_FULL else InvalidArgument(error.reason, error.message[:100])
            refused.append((event.sequence, told))
            frame.events[place].CopyFrom(in_place_of(event, told))
    return Screened(frame.SerializeToString(), frame.events[-1].sequence, len(frame.events), points, refused)


def in_place_of(event: event_pb2.Event, error: FleetlogError) -> event_pb2.Event:
    """The event that keeps the place of a refused one."""
    points = sum(len(column.values) for column in event.metrics_logged.columns)
    return event_pb2.Event(
        sequence=event.sequence,
        event_refused=event_pb2.EventRefused(reason=error.reason, message=error.message[:1000], points=points),
    )
