"""Requests on registered models, checked, as the intents that the log keeps. Pure."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.rules.names import check_namespace, check_user
from fleetlog_core.rules.registry import (
    check_alias,
    check_aliases,
    check_comment,
    check_description,
    check_lineage,
    check_model_name,
    check_model_tags,
    check_move,
    check_policy,
    check_source,
    check_version,
)
from fleetlog_proto.v1 import (
    frame_pb2,
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    registered_model_pb2,
    registry_event_pb2,
)

Record = frame_pb2.ControlRecord


def create_model(request: registered_model_pb2.CreateRegisteredModelRequest) -> Record:
    """Intent of a CreateRegisteredModel request. InvalidArgument."""
    check_model_name(request.name)
    check_description(request.description)
    check_model_tags(request.tags)
    check_policy(request.approval_policy)
    intent = registry_event_pb2.RegisteredModelCreated(
        name=request.name, description=request.description, tags=request.tags, exist_ok=request.exist_ok
    )
    if request.HasField("approval_policy"):
        intent.approval_policy.CopyFrom(request.approval_policy)
    return Record(registered_model_created=intent)


def update_model(request: registered_model_pb2.UpdateRegisteredModelRequest) -> Record:
    """Intent of a UpdateRegisteredModel request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_description(request.description)
    check_model_tags(request.tags, request.deleted_tags)
    check_policy(request.approval_policy)
    intent = registry_event_pb2.RegisteredModelUpdated(
        name=request.name,
        description=request.description if request.HasField("description") else None,
        tags=request.tags,
        deleted_tags=request.deleted_tags,
    )
    if request.HasField("approval_policy"):
        intent.approval_policy.CopyFrom(request.approval_policy)
    elif not (request.HasField("description") or request.tags or request.deleted_tags):
        raise _nothing("a description, tags or a policy")
    return Record(registered_model_updated=intent)


def rename_model(request: registered_model_pb2.RenameRegisteredModelRequest) -> Record:
    """Intent of a RenameRegisteredModel request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_model_name(request.new_name, "new_name")
    return Record(
        registered_model_updated=registry_event_pb2.RegisteredModelUpdated(name=request.name, new_name=request.new_name)
    )


def delete_model(request: registered_model_pb2.DeleteRegisteredModelRequest) -> Record:
    """Intent of a DeleteRegisteredModel request. InvalidArgument."""
    check_model_name(request.name, written=False)
    return Record(registered_model_deleted=registry_event_pb2.RegisteredModelDeleted(name=request.name))


def create_version(request: model_version_pb2.CreateModelVersionRequest) -> Record:
    """Intent of a CreateModelVersion request. InvalidArgument."""
    check_model_name(request.name, written=request.create_model)
    check_source(request.source, "source")
    check_source(request.storage_location, "storage_location")
    check_description(request.description)
    check_model_tags(request.tags)
    check_lineage(request.lineage)
    check_aliases(request.aliases, "aliases")
    intent = registry_event_pb2.ModelVersionCreated(
        name=request.name,
        create_model=request.create_model,
        source=request.source,
        storage_location=request.storage_location,
        description=request.description,
        tags=request.tags,
        aliases=request.aliases,
    )
    if request.HasField("lineage"):
        intent.lineage.CopyFrom(request.lineage)
        # One way to write an id: searches compare texts.
        intent.lineage.run_id = request.lineage.run_id.lower().replace("-", "")
        intent.lineage.selection.request.scope.ClearField("at_least")
        if not request.lineage.HasField("selection"):
            intent.lineage.ClearField("selection")
    return Record(model_version_created=intent)


def update_version(request: model_version_pb2.UpdateModelVersionRequest) -> Record:
    """Intent of a UpdateModelVersion request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_version(request.version)
    check_description(request.description)
    check_model_tags(request.tags, request.deleted_tags)
    if not (request.HasField("description") or request.tags or request.deleted_tags):
        raise _nothing("a description or tags")
    intent = registry_event_pb2.ModelVersionUpdated(
        name=request.name,
        version=request.version,
        description=request.description if request.HasField("description") else None,
        tags=request.tags,
        deleted_tags=request.deleted_tags,
    )
    return Record(model_version_updated=intent)


def transition_version(request: model_version_pb2.TransitionModelVersionRequest) -> Record:
    """Intent of a TransitionModelVersion request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_version(request.version)
    check_move(request.stage, request.archive_existing)
    intent = registry_event_pb2.ModelVersionTransitioned(
        name=request.name,
        version=request.version,
        stage=request.stage,
        archive_existing=request.archive_existing,
    )
    return Record(model_version_transitioned=intent)


def delete_version(request: model_version_pb2.DeleteModelVersionRequest) -> Record:
    """Intent of a DeleteModelVersion request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_version(request.version)
    intent = registry_event_pb2.ModelVersionDeleted(name=request.name, version=request.version)
    return Record(model_version_deleted=intent)


def set_alias(request: registered_model_pb2.SetAliasRequest) -> Record:
    """Intent of a SetAlias request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_alias(request.alias)
    check_version(request.version)
    intent = registry_event_pb2.ModelAliasSet(name=request.name, alias=request.alias, version=request.version)
    return Record(model_alias_set=intent)


def delete_alias(request: registered_model_pb2.DeleteAliasRequest) -> Record:
    """Intent of a DeleteAlias request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_alias(request.alias, written=False)
    return Record(model_alias_deleted=registry_event_pb2.ModelAliasDeleted(name=request.name, alias=request.alias))


def add_comment(request: model_history_pb2.AddCommentRequest) -> Record:
    """Intent of a AddComment request. InvalidArgument."""
    check_model_name(request.name, written=False)
    if request.version:
        check_version(request.version)
    check_comment(request.text, "text", may_be_empty=False)
    intent = registry_event_pb2.ModelCommentAdded(name=request.name, version=request.version, text=request.text)
    return Record(model_comment_added=intent)


def request_approval(request: model_approval_pb2.RequestApprovalRequest) -> Record:
    """Intent of a RequestApproval request. InvalidArgument."""
    check_model_name(request.name, written=False)
    check_version(request.version)
    check_comment(request.comment)
    intent = registry_event_pb2.ModelApprovalRequested(
        name=request.name,
        version=request.version,
        archive_existing=request.archive_existing,
        comment=request.comment,
    )
    if request.WhichOneof("change") == "alias":
        check_alias(request.alias)
        if request.archive_existing:
            raise InvalidArgument.of_field("ARCHIVE_INVALID", "archive_existing", "goes with a stage; unset it")
        intent.alias = request.alias
    else:
        check_move(request.stage, request.archive_existing)
        intent.stage = request.stage
    return Record(model_approval_requested=intent)


def decide_approval(request: model_approval_pb2.DecideApprovalRequest) -> Record:
    """Intent of a DecideApproval request. InvalidArgument."""
    check_model_name(request.name, written=False)
    if not 0 < request.number < 1 << 63:
        raise InvalidArgument.of_field(
            "APPROVAL_INVALID", "number", f"{request.number} is no approval: they count from 1"
        )
    check_comment(request.comment)
    intent = registry_event_pb2.ModelApprovalDecided(
        name=request.name, number=request.number, approved=request.approved, comment=request.comment
    )
    return Record(model_approval_decided=intent)


def completed(record: Record, namespace: str, request_id: bytes, user: str) -> Record:
    """The record of the intent, as it goes into the log. InvalidArgument, ResourceExhausted REQUEST_TOO_LARGE."""
    check_user(user, "user")
    record.namespace, record.request_id, record.user = check_namespace(namespace), request_id, user
    if record.ByteSize() > limits.REGISTRY_INTENT_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"the request has {record.ByteSize():,} bytes, at most {limits.REGISTRY_INTENT_BYTES:,}; set fewer or"
            " shorter tags",
        )
    return record


def _nothing(what: str) -> InvalidArgument:
    return InvalidArgument("NOTHING_TO_CHANGE", f"the request changes nothing; give {what}")
