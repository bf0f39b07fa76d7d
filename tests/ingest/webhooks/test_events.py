"""What webhooks are told of an intent."""

from __future__ import annotations

import json

from fleetlog_core.rules.webhooks import EVENTS
from fleetlog_ingest.webhooks.events import Change, events_of
from fleetlog_proto.v1 import frame_pb2, model_history_pb2, registry_event_pb2

event, history = registry_event_pb2, model_history_pb2


def told(control: frame_pb2.ControlRecord, *changes: Change, is_prompt: bool = False) -> dict[str, object]:
    """Data by the event's name."""
    control.namespace, control.user, control.ingest_time_millis = "team", "ann", 1_700_000_000_000
    found = events_of(control, changes, is_prompt=is_prompt)
    assert {one.name for one in found} <= set(EVENTS)
    return {one.name: json.loads(one.body)["data"] for one in found}


def test_a_tag_that_is_removed_and_set_at_once_is_set() -> None:
    change = Change(0, history.MODEL_ACTION_VERSION_UPDATED, 1)
    control = frame_pb2.ControlRecord(
        model_version_updated=event.ModelVersionUpdated(
            name="gpt2", version=1, tags={"a": "1"}, deleted_tags=["a", "b"]
        )
    )
    assert told(control, change) == {
        "model_version_tag.deleted": {"name": "gpt2", "version": "1", "key": "b"},
        "model_version_tag.set": {"name": "gpt2", "version": "1", "key": "a", "value": "1"},
    }


def test_prompts_have_names_of_their_own() -> None:
    control = frame_pb2.ControlRecord(
        model_version_created=event.ModelVersionCreated(name="greeting", create_model=True, aliases=["best"])
    )
    changes = [
        Change(0, history.MODEL_ACTION_VERSION_CREATED, 1, new_value="1"),
        Change(1, history.MODEL_ACTION_ALIAS_SET, 1, "best", new_value="1"),
    ]
    assert list(told(control, *changes, is_prompt=True)) == ["prompt_version.created", "prompt_alias.created"]
    assert list(told(control, *changes)) == ["model_version.created", "model_version_alias.created"]


def test_an_approval_is_told_with_what_it_does() -> None:
    control = frame_pb2.ControlRecord(
        model_approval_decided=event.ModelApprovalDecided(name="gpt2", number=3, approved=True, comment="fine")
    )
    changes = [
        Change(0, history.MODEL_ACTION_APPROVED, 1, "stage", "", "Production", "fine", 3),
        Change(1, history.MODEL_ACTION_VERSION_TRANSITIONED, 1, "stage", "None", "Production", "", 3),
    ]
    found = told(control, *changes)
    assert list(found) == ["approval.approved", "model_version.transitioned"]
    assert found["model_version.transitioned"] == {
        "name": "gpt2", "version": "1", "from_stage": "None", "to_stage": "Production", "approval": 3,
    }  # fmt: skip


def test_the_body_says_who_when_and_where() -> None:
    control = frame_pb2.ControlRecord(
        namespace="team", user="ann", ingest_time_millis=1_700_000_000_123,
        model_comment_added=event.ModelCommentAdded(name="gpt2", text="ok"),
    )  # fmt: skip
    body = events_of(control, [Change(0, history.MODEL_ACTION_COMMENTED, comment="ok")], is_prompt=False)[0].body
    assert json.loads(body) == {
        "entity": "comment", "action": "created", "timestamp": "2023-11-14T22:13:20.123000Z", "namespace": "team",
        "user": "ann", "data": {"name": "gpt2", "version": None, "text": "ok"},
    }  # fmt: skip
