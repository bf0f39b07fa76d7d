"""What a request names in the registry: models and versions, or which of them is not there."""

from __future__ import annotations

from fleetlog_core.errors import NotFound, shown
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.registry.states import Kind, shown_version, version_of
from fleetlog_core.rules.registry import stage_name
from fleetlog_proto.v1 import model_version_pb2, registered_model_pb2


def model_named(snapshot: Snapshot, name: str) -> registered_model_pb2.RegisteredModel:
    """NotFound MODEL_NOT_FOUND."""
    model = snapshot.named([name]).get(name)
    if model is None:
        raise NotFound("MODEL_NOT_FOUND", f"name: there is no model {shown(name)} in this namespace")
    return model


def model_by_id(snapshot: Snapshot, model_id: int) -> registered_model_pb2.RegisteredModel:
    """The model of the id, deleted or not. NotFound MODEL_NOT_FOUND."""
    model = snapshot.models([model_id]).get(model_id)
    if model is None:
        raise NotFound("MODEL_NOT_FOUND", f"model_id: there is no model {model_id} in this namespace")
    return model


def version_asked(
    snapshot: Snapshot, request: model_version_pb2.GetModelVersionRequest
) -> model_version_pb2.ModelVersion:
    """Version by number, alias or stage; none of them: the highest number. NotFound."""
    model = model_named(snapshot, request.name)
    which = request.WhichOneof("which")
    if which == "alias":
        if request.alias not in model.aliases:
            raise NotFound("ALIAS_NOT_FOUND", f"alias: model {shown(model.name)} has no alias {shown(request.alias)}")
        return _numbered(snapshot, model, model.aliases[request.alias])
    if which == "version":
        return _numbered(snapshot, model, request.version)
    condition = "deleted = 0" if which is None else "deleted = 0 AND stage = {stage:UInt8}"
    answer = snapshot.select(
        Kind.VERSION,
        f"{condition} ORDER BY number DESC LIMIT 1",
        {} if which is None else {"stage": request.stage},
        model_ids=[model.model_id],
    )
    if not answer.rows:
        of_stage = "" if which is None else f" in stage {stage_name(request.stage)}"
        raise NotFound("VERSION_NOT_FOUND", f"name: model {shown(model.name)} has no version{of_stage}")
    return shown_version(version_of(answer.texts("state")[0]), model)


def _numbered(
    snapshot: Snapshot, model: registered_model_pb2.RegisteredModel, number: int
) -> model_version_pb2.ModelVersion:
    found = [one for one in snapshot.versions([model.model_id], [number]) if not one.deleted]
    if not found:
        there = f"the highest is {model.last_version}" if model.last_version else "it has none"
        raise NotFound("VERSION_NOT_FOUND", f"version: model {shown(model.name)} has no version {number}; {there}")
    return shown_version(found[0], model)
