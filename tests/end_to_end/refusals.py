"""Calls that are meant to be refused, and what every refusal must be like."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import grpc
import pytest
from fleetlog_proto.v1 import (
    document_pb2,
    event_pb2,
    frame_pb2,
    ingest_pb2,
    logged_model_pb2,
    query_pb2,
    registry_pb2,
    webhook_pb2,
)
from google.rpc import error_details_pb2, status_pb2

SECONDS = 30.0
HIDDEN = ("Traceback", 'File "', ".py", "SELECT ", " FROM ", "WHERE ", "DB::", "Code:", "sqlite", "/tmp", "127.0.0.1")
SERVICES = (
    ingest_pb2.DESCRIPTOR.services_by_name["IngestService"],
    query_pb2.DESCRIPTOR.services_by_name["QueryService"],
    registry_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    registry_pb2.DESCRIPTOR.services_by_name["RegistryQueryService"],
    logged_model_pb2.DESCRIPTOR.services_by_name["LoggedModelService"],
    logged_model_pb2.DESCRIPTOR.services_by_name["LoggedModelQueryService"],
    webhook_pb2.DESCRIPTOR.services_by_name["WebhookService"],
    document_pb2.DESCRIPTOR.services_by_name["DocumentService"],
    document_pb2.DESCRIPTOR.services_by_name["DocumentQueryService"],
)


@dataclass(frozen=True)
class Refusal:
    """What a caller is told."""

    code: str
    reason: str
    message: str
    fields: tuple[str, ...]


def told(status: status_pb2.Status) -> Refusal:
    """The refusal in a status; it shows nothing that is ours, and is no longer than a person reads."""
    reason, fields = "", []
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
            assert info.domain == "fleetlog"
        elif detail.Unpack(bad):
            fields += [violation.field for violation in bad.field_violations]
    check_clean(status.message)
    code = next(code.name for code in grpc.StatusCode if code.value[0] == status.code)
    return Refusal(code, reason, status.message, tuple(fields))


def check_clean(message: str) -> None:
    """No stack, SQL, path or host; printable, and short. Lines below the first may quote the caller's own text."""
    first, *quoted = message.split("\n")
    assert not [hidden for hidden in (*HIDDEN, socket.gethostname()) if hidden in first], message
    assert all(line.startswith("    ") for line in quoted)
    assert first.isprintable()
    assert all(line.isprintable() for line in quoted)
    assert 0 < len(message) < 600


def refused(call: Callable[[], object]) -> Refusal:
    """The refusal of a call, which must be one."""
    with pytest.raises(grpc.RpcError) as failed:
        call()
    error = failed.value
    check_clean(error.details() or "")
    for item in error.trailing_metadata() or ():
        if item.key == "grpc-status-details-bin" and isinstance(item.value, bytes):
            status = status_pb2.Status.FromString(item.value)
            assert (status.code, status.message) == (error.code().value[0], error.details())
            return told(status)
    return Refusal(error.code().name, "", error.details() or "", ())


def append(channel: grpc.Channel, requests: Iterable[frame_pb2.Frame | bytes]) -> list[ingest_pb2.AppendEventsResponse]:
    """The answers of one stream; bytes are sent as they are."""
    call: grpc.StreamStreamMultiCallable[bytes, ingest_pb2.AppendEventsResponse] = channel.stream_stream(
        "/fleetlog.v1.IngestService/AppendEvents",
        request_serializer=bytes,
        response_deserializer=ingest_pb2.AppendEventsResponse.FromString,
    )
    messages = (
        one if isinstance(one, bytes) else ingest_pb2.AppendEventsRequest(frame=one).SerializeToString()
        for one in requests
    )
    return list(call(messages, timeout=SECONDS))


def points(sequence: int, *steps: int, key: str = "x", value: float = 1.0) -> event_pb2.Event:
    """An event with a value at each step."""
    deltas = [step - before for before, step in zip((0, *steps), steps, strict=False)]
    column = event_pb2.MetricColumn(key=key, values=[value] * len(steps))
    return event_pb2.Event(
        sequence=sequence, metrics_logged=event_pb2.MetricsLogged(step_deltas=deltas, columns=[column])
    )
