"""Messages of records as JSON, read from the log. What is secret in them, or long, is left out."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fleetlog_core.log.port import CONTROL, EventLog, Partition, RecordsGone
from fleetlog_proto.v1 import event_pb2, frame_pb2
from google.protobuf import json_format
from google.protobuf.message import DecodeError

READ_BYTES = 1 << 20
JSON_BYTES = 64 * 1024
"""Bytes of a message's JSON; a longer one is left out, after its points were."""
_SECRETS = (
    ("token_created", "salt"), ("token_created", "digest"),
    ("webhook_created", "sealed_secret"), ("webhook_created", "url"),
    ("webhook_updated", "sealed_secret"), ("webhook_updated", "url"),
)  # fmt: skip
"""Fields of intents; URLs of webhooks have keys in them."""


def messages_of(log: EventLog, places: Iterable[tuple[Partition, int]]) -> list[str]:
    """JSON of the record at each place; "" where the log has it no longer, or it is too long. LogUnavailable."""
    found: list[str] = []
    known: dict[tuple[Partition, int], bytes] = {}
    for partition, offset in places:
        if (partition, offset) not in known:
            try:
                records = log.read(partition, offset, max_bytes=READ_BYTES)
            except RecordsGone:
                records = []
            # Those that follow are likely to be asked for next.
            known = {(record.partition, record.offset): record.value for record in records}
        data = known.get((partition, offset))
        found.append("" if data is None else json_of(partition, data))
    return found


def json_of(partition: Partition, data: bytes) -> str:
    """JSON of a record's message; "" when it can't be read, or is too long."""
    try:
        if partition.topic == CONTROL:
            control = frame_pb2.ControlRecord.FromString(data)
            intent = control.WhichOneof("intent")
            for kind, field in _SECRETS:
                if intent == kind:
                    getattr(control, kind).ClearField(field)
            return _fitting(control)
        frame = frame_pb2.Frame.FromString(data)
    except DecodeError:
        return ""
    for event in frame.events:
        if event.HasField("artifact_logged"):
            event.artifact_logged.ClearField("content")
    if len(data) > JSON_BYTES // 4:
        for event in frame.events:
            _without_points(event)
    return _fitting(frame)


def _without_points(event: event_pb2.Event) -> None:
    kind = event.WhichOneof("payload")
    if kind == "metrics_logged":
        event.metrics_logged.ClearField("step_deltas")
        event.metrics_logged.ClearField("time_deltas_millis")
        for column in event.metrics_logged.columns:
            column.ClearField("values")
    elif kind == "runs_imported":
        event.runs_imported.CopyFrom(event_pb2.RunsImported(experiment_id=event.runs_imported.experiment_id))


def _fitting(message: frame_pb2.Frame | frame_pb2.ControlRecord) -> str:
    if message.ByteSize() > JSON_BYTES:
        return ""
    told = json_format.MessageToDict(message, preserving_proto_field_name=True)
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return text if len(text.encode()) <= JSON_BYTES else ""
