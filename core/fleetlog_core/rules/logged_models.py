"""Events of logged models, and what a run says of them: whether the log may keep them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fleetlog_proto.v1 import event_pb2, frame_pb2, logged_model_event_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.rules.names import check_key, check_label, check_tags
from fleetlog_core.rules.paths import check_artifact_path

_OF_MODELS = frozenset(
    {
        "logged_model_created",
        "logged_model_updated",
        "logged_model_deleted",
        "logged_model_restored",
        "logged_model_purged",
    }
)
_OF_BOTH = frozenset({"artifact_logged", "artifacts_deleted", "loss_reported", "event_refused"})
_STATUSES = frozenset(logged_model_event_pb2.LoggedModelStatus.values())


def belongs(kind: str, subject: frame_pb2.Subject.ValueType) -> bool:
    """True if an event of this kind can be one of the subject's."""
    if subject == frame_pb2.SUBJECT_MODEL:
        return kind in _OF_MODELS or kind in _OF_BOTH
    return kind not in _OF_MODELS


def check_model_name(name: str, field: str) -> None:
    """Display name of a logged model. NAME_EMPTY, NAME_TOO_LONG, NAME_INVALID."""
    if not name.strip():
        raise InvalidArgument.of_field("NAME_EMPTY", field, "the name is empty; say what the model is called")
    check_label(name, field, limits.MODEL_NAME_CHARACTERS)


def check_created(event: event_pb2.Event, field: str) -> None:
    """LoggedModelCreated."""
    created = event.logged_model_created
    check_model_name(created.name, f"{field}.name")
    check_label(created.model_type, f"{field}.model_type", limits.DATASET_LABEL_CHARACTERS)
    if created.source_run_id:
        check_id(created.source_run_id, f"{field}.source_run_id", "the 16 of a run id, or none")
    _check_texts(created.params, f"{field}.params", limits.PARAMS_PER_EVENT)
    _check_texts(created.tags, f"{field}.tags", limits.TAGS_PER_EVENT)


def check_updated(event: event_pb2.Event, field: str) -> None:
    """LoggedModelUpdated."""
    updated = event.logged_model_updated
    if updated.status not in _STATUSES:
        raise InvalidArgument.of_field(
            "STATUS_INVALID", f"{field}.status", f"{updated.status} is no status; send PENDING, READY or FAILED"
        )
    if len(updated.status_message) > limits.MODEL_STATUS_CHARACTERS:
        raise InvalidArgument.of_field(
            "TEXT_TOO_LONG",
            f"{field}.status_message",
            f"{shown(updated.status_message)} has {len(updated.status_message):,} characters, at most"
            f" {limits.MODEL_STATUS_CHARACTERS:,}; shorten it",
        )
    _check_texts(updated.params, f"{field}.params", limits.PARAMS_PER_EVENT)
    _check_texts(updated.tags, f"{field}.tags", limits.TAGS_PER_EVENT)
    _check_count(updated.deleted_tags, f"{field}.deleted_tags", limits.TAGS_PER_EVENT)
    for place, key in enumerate(updated.deleted_tags):
        check_key(key, f"{field}.deleted_tags[{place}]", written=False)


def check_models_linked(event: event_pb2.Event, field: str) -> None:
    """ModelsLinked."""
    linked = event.models_linked
    count = len(linked.input_model_ids) + len(linked.outputs)
    if not count:
        raise InvalidArgument.of_field("EVENT_EMPTY", field, "there are none; send at least one")
    if count > limits.MODELS_PER_RUN:
        raise InvalidArgument.of_field(
            "OVER_LIMIT", field, f"{count:,} models, at most {limits.MODELS_PER_RUN:,}; send several events"
        )
    for place, model_id in enumerate(linked.input_model_ids):
        check_id(model_id, f"{field}.input_model_ids[{place}]", "the 16 of a model's id")
    for place, output in enumerate(linked.outputs):
        check_id(output.model_id, f"{field}.outputs[{place}].model_id", "the 16 of a model's id")


def check_measured_model(metrics: event_pb2.MetricsLogged, field: str) -> None:
    """What points say of the model and the data that they are of."""
    if metrics.model_id:
        check_id(metrics.model_id, f"{field}.model_id", "the 16 of a model's id, or none")
    check_label(metrics.dataset_name, f"{field}.dataset_name", limits.DATASET_NAME_CHARACTERS)
    check_label(metrics.dataset_digest, f"{field}.dataset_digest", limits.DATASET_DIGEST_CHARACTERS)


def check_artifacts_deleted(event: event_pb2.Event, field: str) -> None:
    """ArtifactsDeleted."""
    if event.artifacts_deleted.path:
        check_artifact_path(event.artifacts_deleted.path, f"{field}.path", written=False)


def check_id(value: bytes, field: str, what: str) -> None:
    """INVALID_ID unless it has the bytes of an id."""
    if len(value) != ID_BYTES:
        raise InvalidArgument.of_field("INVALID_ID", field, f"{len(value):,} bytes; send {what}")


def _check_texts(texts: Mapping[str, str], field: str, limit: int) -> None:
    _check_count(texts, field, limit)
    check_tags(texts, field)


def _check_count(given: Collection[str], field: str, limit: int) -> None:
    if len(given) > limit:
        raise InvalidArgument.of_field("OVER_LIMIT", field, f"{len(given):,}, at most {limit:,}; send several events")
