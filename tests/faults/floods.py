"""A client that writes without end, and how its stream ends."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

from tests.end_to_end.refusals import points
from tests.faults.fleet import Server

FRAME_POINTS = 50_000


def frames(run: bytes, writer: bytes) -> Iterator[ingest_pb2.AppendEventsRequest]:
    """A stream that never ends: the beginning of a run, and then more than anybody can keep."""
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_CREATE)
    events = [event_pb2.Event(sequence=1, run_started=started)]
    sequence = 1
    while True:
        yield ingest_pb2.AppendEventsRequest(frame=frame_pb2.Frame(run_id=run, writer_id=writer, events=events))
        sequence += 1
        events = [points(sequence, *range(FRAME_POINTS), key="flood")]


def refused(front: Server) -> tuple[int, grpc.StatusCode, float]:
    """Write to it without end: how many answers came, how it ended, and when it asks to be asked again."""
    answers = 0
    with grpc.insecure_channel(front.target) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        try:
            for _ in stub.AppendEvents(frames(new_run_id(1_700_000_000_000), new_random_id()), timeout=60):
                answers += 1
        except grpc.RpcError as error:
            return answers, error.code(), _retry_seconds(error)
    raise AssertionError("the stream ended as if all were well")


def _retry_seconds(error: grpc.RpcError) -> float:
    for item in error.trailing_metadata() or ():
        if item.key == "grpc-status-details-bin" and isinstance(item.value, bytes):
            for detail in status_pb2.Status.FromString(item.value).details:
                retry = error_details_pb2.RetryInfo()
                if detail.Unpack(retry):
                    return float(retry.retry_delay.ToTimedelta().total_seconds())
    return 0.0
