"""From the bytes of a record to what the fold takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core.ids import ID_BYTES
from fleetlog_core.log.port import CONTROL, Record
from fleetlog_proto.v1 import frame_pb2
from google.protobuf.message import DecodeError

UNDECODABLE = "UNDECODABLE"
MALFORMED = "MALFORMED"
DEFAULT_NAMESPACE = "default"
ARTIFACT_WEIGHT = 8_000
"""The object store is asked about each, which takes as long as so many points: some milliseconds."""

WEIGHED_BYTES = 100
"""Bytes of an intent that weigh as much as a point: its state is kept whole, in the table and in the history."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record and its message. Exactly one of `frame`, `control` and `problem` is set.

    `points` and `weight` bound what its rows cost: a batch's weight bounds the rows of its largest table, and its time.
    `columns` and `tags` bound how many metrics and tags it may add to its run. `imports`: it holds a table of runs, and
    only that. `heard` are the runs and writers that a gateway heard of, when that is all that it says.
    """

    record: Record
    frame: frame_pb2.Frame | None = None
    control: frame_pb2.ControlRecord | None = None
    problem: str = ""
    points: int = 0
    weight: int = 1
    writes_once: bool = False
    has_artifacts: bool = False
    columns: int = 0
    tags: int = 0
    imports: bool = False
    heard: Sequence[tuple[bytes, bytes]] = ()
    rewound: bytes = b""
    """Id of the run that it rewinds, whose row it changes too."""

    @property
    def of_model(self) -> bool:
        """True if it is a frame of a logged model."""
        return self.frame is not None and self.frame.subject == frame_pb2.SUBJECT_MODEL

    @property
    def namespace(self) -> str:
        """The namespace of the message; "" when there is none."""
        message = self.frame if self.frame is not None else self.control
        return "" if message is None else message.namespace or DEFAULT_NAMESPACE


def decode(record: Record) -> Decoded:
    """Read the record's message. What can't be read, or can't belong to any run, has a `problem`."""
    if record.partition.topic == CONTROL:
        return _decode_control(record)
    try:
        frame = frame_pb2.Frame.FromString(record.value)
    except DecodeError:
        return Decoded(record, problem=UNDECODABLE)
    if len(frame.run_id) != ID_BYTES or len(frame.writer_id) != ID_BYTES:
        return Decoded(record, problem=MALFORMED)
    if any(event.HasField("runs_imported") for event in frame.events):
        return _decode_import(record, frame)
    if len(frame.events) == 1 and frame.events[0].HasField("writers_heard"):
        return _decode_heard(record, frame)
    points, weight, writes_once, has_artifacts = 0, 1, False, False
    columns = tags = 0
    rewound = b""
    for event in frame.events:
        kind = event.WhichOneof("payload")
        if kind == "metrics_logged":
            metrics = event.metrics_logged
            named = len(metrics.columns)
            points += len(metrics.step_deltas) * named
            columns += named
        elif kind == "params_logged":
            writes_once = True
            weight += len(event.params_logged.params)
        elif kind == "run_started":
            writes_once = writes_once or len(event.run_started.params) > 0
            named = len(event.run_started.tags)
            weight += len(event.run_started.params) + named
            tags += named
        elif kind == "tags_set":
            named = len(event.tags_set.tags)
            weight += named
            tags += named
        elif kind == "tags_deleted":
            named = len(event.tags_deleted.keys)
            weight += named
            tags += named
        elif kind == "datasets_logged":
            writes_once = True
            weight += len(event.datasets_logged.datasets)
        elif kind == "models_linked":
            writes_once = True
            weight += len(event.models_linked.input_model_ids) + len(event.models_linked.outputs)
        elif kind == "logged_model_created":
            weight += len(event.logged_model_created.params) + len(event.logged_model_created.tags)
        elif kind == "logged_model_updated":
            updated = event.logged_model_updated
            weight += len(updated.params) + len(updated.tags) + len(updated.deleted_tags)
        elif kind == "artifact_logged":
            has_artifacts = True
            weight += ARTIFACT_WEIGHT
        elif kind == "run_branched":
            rewound = event.run_branched.source_run_id if event.run_branched.rewinds else b""
        elif kind == "series_inherited":
            named = len(event.series_inherited.series)
            columns += named
            weight += named
        weight += 1
    weight += points
    return Decoded(record, frame, None, "", points, weight, writes_once, has_artifacts, columns, tags, rewound=rewound)


def _decode_import(record: Record, frame: frame_pb2.Frame) -> Decoded:
    runs = frame.events[0].runs_imported
    count = len(runs.run_ids) // ID_BYTES
    if len(frame.events) > 1:
        return Decoded(record, problem=MALFORMED)
    points = sum(len(metric.values) for metric in runs.metrics)
    weight = points + sum(len(param.rows) or count for param in runs.params)
    weight += sum(len(tag.rows) or count for tag in runs.tags)
    return Decoded(record, frame, points=points, weight=max(weight, count, 1), imports=True)


def _decode_heard(record: Record, frame: frame_pb2.Frame) -> Decoded:
    heard = frame.events[0].writers_heard
    runs, writers = ids_in(heard.run_ids), ids_in(heard.writer_ids)
    if not runs or len(runs) != len(writers):
        return Decoded(record, problem=MALFORMED)
    return Decoded(record, frame, heard=tuple(zip(runs, writers, strict=True)))


def ids_in(packed: bytes) -> list[bytes]:
    """The ids that lie side by side; none when there is not a whole number of them."""
    if len(packed) % ID_BYTES:
        return []
    return [packed[place : place + ID_BYTES] for place in range(0, len(packed), ID_BYTES)]


def _decode_control(record: Record) -> Decoded:
    try:
        control = frame_pb2.ControlRecord.FromString(record.value)
    except DecodeError:
        return Decoded(record, problem=UNDECODABLE)
    if len(control.request_id) != ID_BYTES:
        return Decoded(record, problem=MALFORMED)
    return Decoded(record, control=control, weight=1 + len(record.value) // WEIGHED_BYTES)
