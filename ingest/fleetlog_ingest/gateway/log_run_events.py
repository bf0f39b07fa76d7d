"""LogRun's request as the events of one writer. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from fleetlog_core.errors import FleetlogError, InvalidArgument, Violation, shown
from fleetlog_core.ids import parse_id
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2
from google.protobuf import struct_pb2

ENDED = (event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_KILLED)
_WHOLE = float(1 << 53)
"""Numbers from here on are whole by the format alone: they stay real."""
_FIELDS = {"run_started": "", "run_updated": "", "run_finished": "", "metrics_logged": "metrics"}
"""The request's fields that events of a kind are made of."""


def events_of(
    request: ingest_pb2.LogRunRequest, opening: event_pb2.RunOpening.ValueType, experiment_id: int, now_millis: int
) -> list[event_pb2.Event]:
    """The events, the first of which opens the run. InvalidArgument PARAM_INVALID, INVALID_ID."""
    started = event_pb2.RunStarted(
        experiment_id=experiment_id,
        name=request.name,
        user=request.user,
        start_time_millis=request.start_time_millis,
        parent_run_id=parse_id(request.parent_run_id, "parent_run_id") if request.parent_run_id else b"",
        params=[_param(key, request.params[key]) for key in sorted(request.params)],
        tags=request.tags,
        opening=opening,
    )
    events = [event_pb2.Event(run_started=started)]
    events += [event_pb2.Event(metrics_logged=one) for one in metrics_of(request.metrics, now_millis)]
    for file in request.artifacts:
        logged = event_pb2.ArtifactLogged(
            path=file.path, size_bytes=len(file.content), sha256=hashlib.sha256(file.content).digest(),
            content=file.content,
        )  # fmt: skip
        events.append(event_pb2.Event(artifact_logged=logged))
    if request.state in ENDED:
        ended = event_pb2.RunFinished(state=request.state, end_time_millis=request.end_time_millis)
        events.append(event_pb2.Event(run_finished=ended))
    elif request.state:
        events.append(event_pb2.Event(run_updated=event_pb2.RunUpdated(state=request.state)))
    for place, event in enumerate(events):
        event.sequence = place + 1
        event.observe_time_millis = now_millis
    return events


def metrics_of(rows: Iterable[ingest_pb2.MetricValues], now_millis: int) -> Sequence[event_pb2.MetricsLogged]:
    """The rows in their order, those side by side that have the same keys in one table."""
    tables: list[list[ingest_pb2.MetricValues]] = []
    before: frozenset[str] | None = None
    for row in rows:
        keys = frozenset(row.values)
        if keys != before:
            tables.append([])
            before = keys
        tables[-1].append(row)
    return [_table(table, now_millis) for table in tables]


def _table(rows: Sequence[ingest_pb2.MetricValues], now_millis: int) -> event_pb2.MetricsLogged:
    times = [row.time_millis or now_millis for row in rows]
    has_times = any(row.time_millis for row in rows)
    return event_pb2.MetricsLogged(
        step_deltas=_deltas([row.step for row in rows]),
        time_deltas_millis=_deltas(times) if has_times else (),
        columns=[
            event_pb2.MetricColumn(key=key, values=[row.values[key] for row in rows]) for key in sorted(rows[0].values)
        ],
    )


def _deltas(numbers: Sequence[int]) -> list[int]:
    """Differences, the first from 0. STEP_OUT_OF_RANGE: two neighbours are too far apart."""
    deltas = [number - before for number, before in zip(numbers, (0, *numbers), strict=False)]
    if any(not -(1 << 63) <= delta < 1 << 63 for delta in deltas):
        raise InvalidArgument.of_field(
            "STEP_OUT_OF_RANGE", "metrics", "steps that follow one another differ by more than int64; send two requests"
        )
    return deltas


def _param(key: str, value: struct_pb2.Value) -> event_pb2.Param:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return event_pb2.Param(key=key, text=value.string_value)
    if kind == "bool_value":
        return event_pb2.Param(key=key, truth=value.bool_value)
    if kind == "number_value":
        number = value.number_value
        if number.is_integer() and abs(number) < _WHOLE:
            return event_pb2.Param(key=key, whole=int(number))
        return event_pb2.Param(key=key, real=number)
    raise InvalidArgument.of_field(
        "PARAM_INVALID", "params", f"{shown(key)} is no text, number or truth; send lists and objects as text"
    )


def in_words_of_request(error: FleetlogError, frame: frame_pb2.Frame) -> FleetlogError:
    """The refusal of an event, with the request's fields in place of the event's."""
    message, violations = error.message, error.violations
    artifacts = 0
    for place, event in enumerate(frame.events):
        kind = event.WhichOneof("payload") or ""
        field = f"frame.events[{place}].{kind}"
        if kind == "artifact_logged":
            known = f"artifacts[{artifacts}]"
            artifacts += 1
        else:
            known = _FIELDS.get(kind, "")
        for told in (f"{field}.", field):
            asked = known + ("." if known and told.endswith(".") else "")
            message = message.replace(told, asked)
            violations = tuple(Violation(one.field.replace(told, asked), one.description) for one in violations)
    return type(error)(error.reason, message, violations=violations, metadata=error.metadata)
