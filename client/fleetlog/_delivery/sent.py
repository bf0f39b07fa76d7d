"""One frame that has no answer yet, and requests of such frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog._events.items import Writer


@dataclass(slots=True)
class Sent:
    """One frame."""

    frame: frame_pb2.Frame
    writer: Writer
    points: int
    size: int
    """Bytes, encoded."""
    serial: int = 0
    lacks_experiment: bool = False
    """True if the number of its experiment is to be filled in before it is sent."""
    is_journaled: bool = False
    refused_streams: int = 0
    """Streams that ended as wrong while this was the first without an answer."""


def sent_of(frame: frame_pb2.Frame, writer: Writer, *, lacks_experiment: bool, is_journaled: bool) -> Sent:
    """A frame that was made just now."""
    return Sent(
        frame, writer, points_of(frame), frame.ByteSize(), lacks_experiment=lacks_experiment, is_journaled=is_journaled
    )


def points_of(frame: frame_pb2.Frame) -> int:
    """Points in the metrics of a frame."""
    return sum(len(event.metrics_logged.step_deltas) * len(event.metrics_logged.columns) for event in frame.events)


def request_of(sent: Sequence[Sent]) -> ingest_pb2.AppendEventsRequest:
    """One request of these frames, at least one."""
    request = ingest_pb2.AppendEventsRequest(frame=sent[0].frame)
    request.more_frames.extend(one.frame for one in sent[1:])
    return request


def fill_in(sent: Sent) -> None:
    """Give the frame the number of its writer's experiment."""
    sent.lacks_experiment = False
    for event in sent.frame.events:
        if event.HasField("run_started") and sent.writer.experiment_id is not None:
            event.run_started.experiment_id = sent.writer.experiment_id
