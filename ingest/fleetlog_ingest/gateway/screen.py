"""Screens a frame: what is wrong with it, and the frame that the log keeps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from fleetlog_core import limits
from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted
from fleetlog_core.rules.events import check_event, extent
from fleetlog_core.rules.frames import check_frame
from fleetlog_core.rules.names import check_namespace
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.gateway.keys import StreamKeys

_SAFE = float(1 << 62)
_SMALL = 64


def fast_extent(deltas: Sequence[int]) -> tuple[int, int]:
    """As rules.events.extent, without Python per value unless the sums come near the ends of int64."""
    if len(deltas) < _SMALL:
        return extent(deltas)
    values = np.array(deltas, dtype=np.int64)
    if np.abs(values.astype(np.float64)).sum() > _SAFE:
        return extent(values.tolist())
    sums = np.cumsum(values)
    return int(sums.min()), int(sums.max())


@dataclass
class Screened:
    """A frame that may be logged, and its events that were refused: in the frame they are EventRefused by now."""

    frame: frame_pb2.Frame
    refused: list[tuple[int, FleetlogError]] = field(default_factory=list)
    points: int = 0


def screen(frame: frame_pb2.Frame, ingest_time_millis: int, keys: StreamKeys | None = None) -> Screened:
    """Check the frame and each event. FleetlogError when the frame as a whole can't be taken.

    `keys` are those that the frame's stream has brought, and are counted on.
    """
    frame.namespace = check_namespace(frame.namespace, "frame.namespace")
    check_frame(frame)
    frame.ingest_time_millis = ingest_time_millis
    frame.request_digest = 0
    frame.ClearField("caller")
    screened = Screened(frame)
    for place, event in enumerate(frame.events):
        path = f"frame.events[{place}]"
        try:
            points = check_event(event, path, fast_extent, frame.subject)
            if keys is not None and frame.subject != frame_pb2.SUBJECT_MODEL:
                keys.admit(frame.namespace, frame.run_id, event, path)
            screened.points += points
        except (InvalidArgument, ResourceExhausted) as error:
            screened.refused.append((event.sequence, error))
            frame.events[place].CopyFrom(in_place_of(event, error))
    return screened


def encoded(frame: frame_pb2.Frame) -> bytes:
    """The frame as the log keeps it. ResourceExhausted FRAME_TOO_LARGE."""
    value = frame.SerializeToString()
    if len(value) > limits.FRAME_BYTES:
        raise ResourceExhausted(
            "FRAME_TOO_LARGE", f"the frame has {len(value):,} bytes, at most {limits.FRAME_BYTES:,}; split it"
        )
    return value


def in_place_of(event: event_pb2.Event, error: FleetlogError) -> event_pb2.Event:
    """The event that keeps the place of a refused one."""
    metrics = event.metrics_logged
    points = sum(len(column.values) for column in metrics.columns)
    return event_pb2.Event(
        sequence=event.sequence,
        event_refused=event_pb2.EventRefused(reason=error.reason, message=error.message[:1000], points=points),
    )
