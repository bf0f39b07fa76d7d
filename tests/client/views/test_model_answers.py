"""Models of a registry as they were read: every field of the messages under its name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fleetlog._views.models import Approval, Model, ModelComment, ModelDataset, ModelEvent, ModelVersion
from fleetlog_proto.v1 import (
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    registered_model_pb2,
    registry_event_pb2,
    scope_pb2,
    selection_pb2,
)

SECOND = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
RUN = "0" * 31 + "1"


def version(**fields: Any) -> model_version_pb2.ModelVersion:
    message = model_version_pb2.ModelVersion(
        name="gpt", version=3, stage=registry_event_pb2.MODEL_STAGE_STAGING, aliases=["champion"], source="s3://a",
        description="the third", tags={"k": "v"}, create_time_millis=1_000, update_time_millis=1_000, create_user="ada",
    )  # fmt: skip
    message.lineage.run_id, message.lineage.artifact_path, message.lineage.git_commit = RUN, "model", "abc"
    message.lineage.datasets.add(name="fineweb", digest="d1", context="training")
    message.MergeFrom(model_version_pb2.ModelVersion(**fields))
    return message


def test_a_version_shows_what_its_message_says() -> None:
    found = ModelVersion.of(version())
    assert (found.name, found.version, found.stage, found.aliases) == ("gpt", 3, "Staging", ("champion",))
    assert (found.source, found.description, found.tags) == ("s3://a", "the third", {"k": "v"})
    assert (found.run_id, found.artifact_path, found.git_commit) == (RUN, "model", "abc")
    assert found.datasets == (ModelDataset("fineweb", "d1", "training"),)
    assert (found.created, found.updated, found.created_by, found.selection) == (SECOND, SECOND, "ada", None)


def test_the_selection_of_a_version_is_kept_whole() -> None:
    message = version()
    asked = selection_pb2.SelectRunsRequest(scope=scope_pb2.RunScope(filter="params.lr < 1"))
    asked.objectives.add(value="metrics.loss")
    message.lineage.selection.request.CopyFrom(asked)
    found = ModelVersion.of(message).selection
    assert found is not None
    assert (found.filter, found.objectives) == ("params.lr < 1", ("metrics.loss",))
    assert registry_event_pb2.ModelSelection.FromString(found.message).request == asked


def test_a_model_shows_what_its_message_says() -> None:
    message = registered_model_pb2.RegisteredModel(
        model_id=7, name="gpt", description="d", tags={"k": "v"}, aliases={"b": 2, "a": 1}, last_version=3,
        latest_versions=[version()], create_time_millis=1_000, update_time_millis=1_000, create_user="ada",
    )  # fmt: skip
    message.approval_policy.stages.append(registry_event_pb2.MODEL_STAGE_PRODUCTION)
    message.approval_policy.aliases.append("champion")
    found = Model.of(message)
    assert (found.id, found.name, found.description, found.tags) == (7, "gpt", "d", {"k": "v"})
    assert (list(found.aliases.items()), found.last_version) == ([("a", 1), ("b", 2)], 3)
    assert (found.approval_stages, found.approval_aliases) == (("Production",), ("champion",))
    assert [one.version for one in found.latest] == [3]
    assert (found.created, found.updated, found.created_by) == (SECOND, SECOND, "ada")


def test_a_stage_of_a_newer_server_is_shown_by_its_number() -> None:
    unknown: Any = 77
    assert ModelVersion.of(version(stage=unknown)).stage == "77"


def test_an_approval_is_about_a_stage_or_an_alias_and_pending_until_it_is_decided() -> None:
    asked = model_approval_pb2.Approval(
        number=1, version=3, stage=registry_event_pb2.MODEL_STAGE_PRODUCTION, user="ada", comment="please",
        create_time_millis=1_000, state=model_approval_pb2.APPROVAL_STATE_PENDING,
    )  # fmt: skip
    found = Approval.of(asked)
    assert (found.stage, found.alias, found.state, found.decided) == ("Production", "", "pending", None)
    decided = model_approval_pb2.Approval(
        number=2, version=3, alias="champion", state=model_approval_pb2.APPROVAL_STATE_REJECTED, decision_user="bob",
        decision_comment="no", decision_time_millis=1_000,
    )  # fmt: skip
    found = Approval.of(decided)
    assert (found.stage, found.alias, found.state, found.decided) == ("", "champion", "rejected", SECOND)
    assert (found.decided_by, found.decision_comment) == ("bob", "no")


def test_comments_and_what_happened_are_shown_in_words() -> None:
    comment = model_history_pb2.ModelComment(version=2, user="ada", text="good", time_millis=1_000)
    assert ModelComment.of(comment) == ModelComment(2, "ada", "good", SECOND)
    entry = model_history_pb2.ModelHistoryEntry(
        time_millis=1_000, user="ada", action=model_history_pb2.MODEL_ACTION_ALIAS_SET, version=2, subject="champion",
        old_value="1", new_value="2",
    )  # fmt: skip
    found = ModelEvent.of(entry)
    assert (found.action, found.subject, found.old, found.new) == ("alias_set", "champion", "1", "2")
    unknown: Any = 77
    assert ModelEvent.of(model_history_pb2.ModelHistoryEntry(action=unknown)).action == "77"
