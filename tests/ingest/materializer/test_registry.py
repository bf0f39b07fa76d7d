"""What the fold decides of registered models."""

from __future__ import annotations

import pytest
from fleetlog_core import limits
from fleetlog_ingest.materializer.control.control import ControlState, fold_control
from fleetlog_proto.v1 import frame_pb2, model_approval_pb2, registry_event_pb2

from tests.golden.records import registry
from tests.ingest.materializer.builders import control
from tests.ingest.materializer.registry_intents import (
    ARCHIVED,
    NONE,
    PRODUCTION,
    STAGING,
    alias,
    answer,
    ask,
    comment,
    create,
    decided,
    delete,
    delete_version,
    describe,
    drop_alias,
    event,
    numbers,
    rename,
    texts,
    transition,
    version,
)


def test_names_are_unique_and_exist_ok_answers_with_the_one_there_is() -> None:
    found = decided(create("a"), create("a"), create("a", exist_ok=True), create("b"))
    assert found.outcomes == [(True, "0"), (False, "MODEL_EXISTS"), (True, "0"), (True, "3")]
    assert {model.name for model in found.models.values()} == {"a", "b"}


def test_numbers_of_versions_count_from_one_and_none_is_given_twice() -> None:
    found = decided(
        create("a"), version("a"), version("a"), delete_version("a", 2), version("a"), delete_version("a", 2)
    )
    assert [result for _, result in found.outcomes] == ["0", "0/1", "0/2", "0/2", "0/3", "VERSION_NOT_FOUND"]
    assert {number: one.deleted for (_, number), one in found.versions.items()} == {1: False, 2: True, 3: False}


def test_a_deleted_models_name_is_free_and_counts_from_one_again() -> None:
    found = decided(
        create("a"), version("a", "champion"), delete("a"), version("a"), create("a"), version("a"),
        alias("a", "champion", 2),
    )  # fmt: skip
    assert [result for _, result in found.outcomes] == ["0", "0/1", "0", "MODEL_NOT_FOUND", "4", "4/1",
                                                        "VERSION_NOT_FOUND"]  # fmt: skip
    assert found.models[0].deleted
    assert dict(found.models[4].aliases) == {}


def test_a_version_may_make_its_model_and_take_aliases_in_one_decision() -> None:
    found = decided(version("a", "champion", "best", create_model=True, run_id="f" * 32), version("a", "champion"))
    assert [result for _, result in found.outcomes] == ["0/1", "0/2"]
    assert dict(found.models[0].aliases) == {"champion": 2, "best": 1}
    assert found.versions[(0, 1)].lineage.run_id == "f" * 32
    assert [(action, subject, old, new) for _, action, _, subject, old, new in found.history] == [
        ("MODEL_CREATED", "", "", "a"),
        ("VERSION_CREATED", "", "", "1"),
        ("ALIAS_SET", "champion", "", "1"),
        ("ALIAS_SET", "best", "", "1"),
        ("VERSION_CREATED", "", "", "2"),
        ("ALIAS_SET", "champion", "1", "2"),
    ]


def test_a_rename_moves_everything_and_takes_no_name() -> None:
    found = decided(
        create("a"), version("a", "champion"), create("b"), rename("a", "b"), rename("a", "c"), version("c"),
        version("a"), create("a"), rename("a", "a"),
    )  # fmt: skip
    assert [result for _, result in found.outcomes] == [
        "0", "0/1", "2", "MODEL_EXISTS", "0", "0/2", "MODEL_NOT_FOUND", "7", "7",
    ]  # fmt: skip
    assert (found.models[0].name, dict(found.models[0].aliases)) == ("c", {"champion": 1})
    assert (4, "MODEL_RENAMED", 0, "name", "a", "c") in found.history


def test_archiving_is_one_decision() -> None:
    found = decided(
        create("a"), version("a"), version("a"), version("a"), transition("a", 1, PRODUCTION),
        transition("a", 2, PRODUCTION), transition("a", 3, PRODUCTION, archive=True),
    )  # fmt: skip
    assert {number: one.stage for (_, number), one in found.versions.items()} == {
        1: ARCHIVED, 2: ARCHIVED, 3: PRODUCTION,
    }  # fmt: skip
    assert [line[1:] for line in found.history if line[0] == 6] == [
        ("VERSION_TRANSITIONED", 3, "stage", "None", "Production"),
        ("VERSION_TRANSITIONED", 1, "stage", "Production", "Archived"),
        ("VERSION_TRANSITIONED", 2, "stage", "Production", "Archived"),
    ]


def test_deleting_a_version_takes_its_aliases_along() -> None:
    found = decided(create("a"), version("a", "x", "y"), version("a", "z"), delete_version("a", 1))
    assert dict(found.models[0].aliases) == {"z": 2}
    assert [line[1:] for line in found.history if line[0] == 3] == [
        ("ALIAS_DELETED", 1, "x", "1", ""), ("ALIAS_DELETED", 1, "y", "1", ""), ("VERSION_DELETED", 1, "", "1", ""),
    ]  # fmt: skip


def test_what_demands_an_approval_is_refused_without_one() -> None:
    found = decided(
        create("a", stages=[PRODUCTION], aliases=["champion"]), version("a"), version("a", "champion"),
        transition("a", 1, STAGING), transition("a", 1, PRODUCTION), alias("a", "champion", 1), alias("a", "other", 1),
        ask("a", 1, "champion"), answer("a", 1, True), drop_alias("a", "champion"), delete_version("a", 1),
    )  # fmt: skip
    refused = (False, "APPROVAL_REQUIRED")
    assert found.outcomes == [
        (True, "0"), (True, "0/1"), refused, (True, "0/1"), refused, refused, (True, "0"), (True, "0/1"), (True, "0/1"),
        refused, refused,
    ]  # fmt: skip
    # What was refused left nothing: no number was used up, no alias moved.
    assert found.models[0].last_version == 1
    assert found.versions[(0, 1)].stage == STAGING
    assert dict(found.models[0].aliases) == {"other": 1, "champion": 1}


def test_an_approval_is_done_with_its_decision_and_the_first_decision_stands() -> None:
    found = decided(
        create("a", stages=[PRODUCTION]), version("a"), version("a"), ask("a", 1, PRODUCTION), answer("a", 1, True),
        ask("a", 2, PRODUCTION, archive=True), answer("a", 2, True), answer("a", 2, False), answer("a", 3, True),
        ask("a", 1, STAGING), answer("a", 3, False), users=[f"u{place}" for place in range(11)],
    )  # fmt: skip
    assert [result for _, result in found.outcomes][3:] == [
        "0/1", "0/1", "0/2", "0/2", "APPROVAL_DECIDED", "APPROVAL_NOT_FOUND", "0/3", "0/3",
    ]  # fmt: skip
    assert [one.stage for _, one in sorted(found.versions.items())] == [ARCHIVED, PRODUCTION]
    second, third = found.approvals[(0, 2)], found.approvals[(0, 3)]
    assert (second.state, second.user, second.decision_user) == (model_approval_pb2.APPROVAL_STATE_APPROVED, "u5", "u6")
    assert third.state == model_approval_pb2.APPROVAL_STATE_REJECTED
    assert [line[1:4] for line in found.history if line[0] == 6] == [
        ("APPROVED", 2, "stage"), ("VERSION_TRANSITIONED", 2, "stage"), ("VERSION_TRANSITIONED", 1, "stage"),
    ]  # fmt: skip


def test_an_approval_of_what_is_gone_stays_pending() -> None:
    found = decided(
        create("a"), version("a"), ask("a", 1, STAGING), delete_version("a", 1), answer("a", 1, True),
        answer("a", 1, False),
    )  # fmt: skip
    assert [result for _, result in found.outcomes][4:] == ["VERSION_NOT_FOUND", "0/1"]
    assert found.approvals[(0, 1)].state == model_approval_pb2.APPROVAL_STATE_REJECTED


@pytest.mark.parametrize(
    "intent",
    [
        version("x"), transition("x", 1, STAGING), delete_version("x", 1), delete("x"), rename("x", "y"),
        describe("x", "text"), alias("x", "a", 1), drop_alias("x", "a"), comment("x", "text"), ask("x", 1, STAGING),
        answer("x", 1, True),
    ],
    ids=lambda intent: str(intent.WhichOneof("intent")),
)  # fmt: skip
def test_intents_on_a_model_that_is_not_there_change_nothing(intent: frame_pb2.ControlRecord) -> None:
    found = decided(intent)
    assert found.outcomes == [(False, "MODEL_NOT_FOUND")]
    assert not found.history


def test_what_is_not_there_is_named() -> None:
    found = decided(
        create("a"), version("a"), transition("a", 2, STAGING), alias("a", "b", 9), drop_alias("a", "b"),
        comment("a", "x", 3), ask("a", 7, STAGING), comment("a", "y", 1),
    )  # fmt: skip
    assert [result for _, result in found.outcomes][2:] == [
        "VERSION_NOT_FOUND", "VERSION_NOT_FOUND", "ALIAS_NOT_FOUND", "VERSION_NOT_FOUND", "VERSION_NOT_FOUND", "0/7",
    ]  # fmt: skip


def test_tags_of_a_model_have_a_bound_together() -> None:
    large = "x" * limits.MODEL_TEXT_CHARACTERS
    intents = [create("a"), *(describe("a", "", **{f"k{place}": large}) for place in range(12))]
    found = decided(*intents)
    assert [accepted for accepted, _ in found.outcomes] == [True] * 11 + [False] * 2
    assert found.outcomes[-1] == (False, "MODEL_TOO_LARGE")
    assert len(found.models[0].tags) == 10


def test_aliases_of_a_model_have_a_bound() -> None:
    many = [f"a{place}" for place in range(limits.ALIASES_PER_MODEL)]
    found = decided(create("a"), version("a", *many), alias("a", "more", 1), alias("a", "a0", 1))
    assert [result for _, result in found.outcomes][2:] == ["TOO_MANY_ALIASES", "0"]


def test_the_same_request_again_changes_nothing() -> None:
    intent = version("a", create_model=True)
    out = fold_control([control(1, 0, intent), control(1, 1, intent)], ControlState())
    assert out.tables["outcomes"]["result"] == ["0/1"]
    assert len(texts(out.tables["registry_history"]["state"])) == 2


def test_namespaces_are_apart() -> None:
    first, second = version("a", create_model=True), version("a", create_model=True)
    out = fold_control([control(1, 0, first, "one"), control(1, 1, second, "two")], ControlState())
    assert out.tables["outcomes"]["result"] == ["0/1", "1/1"]


def test_every_intent_of_the_golden_records_is_accepted() -> None:
    intents = list(registry().values())
    out = fold_control([control(place + 1, place, one) for place, one in enumerate(intents)], ControlState())
    assert numbers(out.tables["outcomes"]["accepted"]) == [1] * len(intents)


def test_a_new_version_is_in_no_stage() -> None:
    assert decided(version("a", create_model=True)).versions[(0, 1)].stage == NONE


def test_a_policy_that_is_replaced_holds_from_then_on() -> None:
    updated = event.RegisteredModelUpdated(name="a", approval_policy=event.ApprovalPolicy(aliases=["x"]))
    found = decided(
        create("a", stages=[PRODUCTION]), version("a"), frame_pb2.ControlRecord(registered_model_updated=updated),
        transition("a", 1, PRODUCTION), alias("a", "x", 1),
    )  # fmt: skip
    assert found.outcomes[3:] == [(True, "0/1"), (False, "APPROVAL_REQUIRED")]


def test_a_line_of_the_history_names_ten_tags() -> None:
    tags = {f"k{place:02}": "v" for place in range(13)}
    updated = registry_event_pb2.RegisteredModelUpdated(name="a", tags=tags)
    found = decided(create("a"), frame_pb2.ControlRecord(registered_model_updated=updated))
    subject = found.history[-1][3]
    assert subject.endswith("tags.k09, 3 more")
