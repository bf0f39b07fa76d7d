"""Frames, control records and records for tests of the materializer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import CONTROL, EVENTS, Partition, Record
from fleetlog_core.objects.port import ObjectName
from fleetlog_ingest.materializer.fold.artifacts import Stored
from fleetlog_ingest.materializer.fold.decoding import Decoded, decode
from fleetlog_ingest.materializer.fold.fold import EventFold
from fleetlog_ingest.materializer.fold.result import Folded
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.own_processes import in_own_process as in_own_process

RUN = bytes(range(16))
WRITER = bytes(range(16, 32))
NOW = 1_700_000_000_000
PARTITION = Partition(EVENTS, 0)


def deltas(numbers: Sequence[int]) -> list[int]:
    return [number - before for before, number in zip([0, *numbers], numbers, strict=False)]


def metrics(sequence: int, **columns: Iterable[tuple[int, float]]) -> event_pb2.Event:
    """Columns of (step, value) with the same steps; the time of a row is its place."""
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW)
    for key, points in columns.items():
        pairs = list(points)
        if not event.metrics_logged.columns:
            event.metrics_logged.step_deltas.extend(deltas([step for step, _ in pairs]))
        event.metrics_logged.columns.add(key=key).values.extend(value for _, value in pairs)
    return event


def start(sequence: int = 1, experiment: int = 0, name: str = "a run", **params: str) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW)
    event.run_started.experiment_id = experiment
    event.run_started.name = name
    event.run_started.start_time_millis = NOW
    for key, text in params.items():
        event.run_started.params.add(key=key, text=text)
    return event


def params(sequence: int, **texts: str) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence)
    for key, text in texts.items():
        event.params_logged.params.add(key=key, text=text)
    return event


def frame(*events: event_pb2.Event, run: bytes = RUN, writer: bytes = WRITER, namespace: str = "") -> frame_pb2.Frame:
    return frame_pb2.Frame(
        namespace=namespace, run_id=run, writer_id=writer, events=events, rank=0, ingest_time_millis=NOW
    )


def record(value: frame_pb2.Frame | bytes, offset: int) -> Decoded:
    data = value if isinstance(value, bytes) else value.SerializeToString()
    return decode(Record(PARTITION, offset, b"", data, NOW))


def control(request: int, offset: int, intent: frame_pb2.ControlRecord, namespace: str = "") -> Decoded:
    """The record of an intent: a ControlRecord of which only the intent is filled."""
    message = frame_pb2.ControlRecord(
        namespace=namespace, request_id=request.to_bytes(16, "big"), ingest_time_millis=NOW
    )
    message.MergeFrom(intent)
    return decode(Record(Partition(CONTROL, 0), offset, b"", message.SerializeToString(), NOW))


def folded(
    state: State,
    *records: Decoded,
    stored: Mapping[ObjectName, Stored] | None = None,
    limits: RunLimits | None = None,
) -> Folded:
    """The fold of the records."""
    return EventFold(state, 0, records[-1].record.offset + 1, stored or {}, limits=limits).fold(records)
