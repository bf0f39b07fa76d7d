"""What a message costs that is written: its bytes and its points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2
from google.protobuf.message import Message

from fleetlog_core.rates.limits import Rate


def cost_of(message: Message) -> Mapping[Rate, float]:
    """Bytes and points of a request."""
    return {Rate.BYTES: float(message.ByteSize()), Rate.POINTS: float(_points(message))}


def _points(message: Message) -> int:
    if isinstance(message, ingest_pb2.AppendEventsRequest):
        return sum(map(_points_of_frame, (message.frame, *message.more_frames)))
    if isinstance(message, ingest_pb2.ImportRunsRequest):
        return sum(len(column.values) for column in message.runs.metrics)
    if isinstance(message, ingest_pb2.LogRunRequest):
        return sum(len(step.values) for step in message.metrics)
    return 0


def _points_of_frame(frame: frame_pb2.Frame) -> int:
    return sum(_points_of_columns(event.metrics_logged.columns) for event in frame.events)


def _points_of_columns(columns: Iterable[event_pb2.MetricColumn]) -> int:
    return sum(len(column.values) for column in columns)
