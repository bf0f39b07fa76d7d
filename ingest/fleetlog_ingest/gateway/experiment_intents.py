"""Intents on experiments as records of the control partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.rules.names import (
    check_artifact_location,
    check_experiment_name,
    check_key,
    check_namespace,
    check_tags,
)
from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.control import check_request_id


def creation(request: ingest_pb2.CreateExperimentRequest) -> frame_pb2.ControlRecord:
    """The record of a CreateExperiment. InvalidArgument, ResourceExhausted."""
    check_experiment_name(request.name)
    _check_tags(request.tags)
    check_artifact_location(request.artifact_location, "artifact_location")
    intent = frame_pb2.ExperimentCreated(
        name=request.name,
        tags=request.tags,
        exist_ok=request.exist_ok,
        artifact_location=request.artifact_location,
    )
    return record_of(request.namespace, request.request_id, experiment_created=intent)


def change(request: ingest_pb2.UpdateExperimentRequest) -> frame_pb2.ControlRecord:
    """The record of an UpdateExperiment. InvalidArgument, ResourceExhausted."""
    name = request.name if request.HasField("name") else None
    if name is not None:
        check_experiment_name(name)
    _check_tags(request.tags, request.deleted_tags)
    intent = frame_pb2.ExperimentUpdated(
        experiment_id=request.experiment_id, name=name, tags=request.tags, deleted_tags=request.deleted_tags
    )
    return record_of(request.namespace, request.request_id, experiment_updated=intent)


def by_name(namespace: str, name: str) -> frame_pb2.ControlRecord:
    """The record that makes an experiment, or finds it, by its name. InvalidArgument."""
    check_experiment_name(name)
    return record_of(namespace, b"", experiment_created=frame_pb2.ExperimentCreated(name=name, exist_ok=True))


def record_of(
    namespace: str,
    request_id: bytes,
    *,
    experiment_created: frame_pb2.ExperimentCreated | None = None,
    experiment_updated: frame_pb2.ExperimentUpdated | None = None,
    experiment_deleted: frame_pb2.ExperimentDeleted | None = None,
    experiment_restored: frame_pb2.ExperimentRestored | None = None,
    experiment_purged: frame_pb2.ExperimentPurged | None = None,
) -> frame_pb2.ControlRecord:
    """The record of one intent. InvalidArgument; ResourceExhausted REQUEST_TOO_LARGE."""
    record = frame_pb2.ControlRecord(
        namespace=check_namespace(namespace),
        request_id=check_request_id(request_id),
        experiment_created=experiment_created,
        experiment_updated=experiment_updated,
        experiment_deleted=experiment_deleted,
        experiment_restored=experiment_restored,
        experiment_purged=experiment_purged,
    )
    if record.ByteSize() > limits.INTENT_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"the request has {record.ByteSize():,} bytes, at most {limits.INTENT_BYTES:,}; set fewer or shorter tags",
        )
    return record


def _check_tags(tags: Mapping[str, str], deleted: Sequence[str] = ()) -> None:
    for field, count in (("tags", len(tags)), ("deleted_tags", len(deleted))):
        if count > limits.TAGS_PER_EVENT:
            raise InvalidArgument.of_field(
                "OVER_LIMIT", field, f"{count:,}, at most {limits.TAGS_PER_EVENT:,}; send several requests"
            )
    check_tags(tags, "tags", limits.EXPERIMENT_TEXT_BYTES)
    for place, key in enumerate(deleted):
        check_key(key, f"deleted_tags[{place}]", written=False)
