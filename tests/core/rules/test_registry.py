from __future__ import annotations

from collections.abc import Callable

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.registry import (
    check_alias,
    check_comment,
    check_lineage,
    check_model_name,
    check_model_tags,
    check_move,
    check_policy,
    check_source,
    check_version,
)
from fleetlog_proto.v1 import registry_event_pb2 as event


def reason(check: Callable[[], None]) -> str:
    with pytest.raises(InvalidArgument) as refused:
        check()
    assert refused.value.violations
    return refused.value.reason


@pytest.mark.parametrize("name", ["a", "GPT 2", "é", "a@b", "x" * limits.MODEL_NAME_CHARACTERS, "a.b-c_d"])
def test_names_of_models_that_may_be(name: str) -> None:
    check_model_name(name)


@pytest.mark.parametrize("alias", ["champion", "A-b_1", "3", "vx", "v", "latest-one", "é"])
def test_aliases_that_may_be(alias: str) -> None:
    check_alias(alias)


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V007"])
def test_reserved_aliases_can_not_be_given_but_can_be_asked_for(alias: str) -> None:
    assert reason(lambda: check_alias(alias)) == "ALIAS_RESERVED"
    check_alias(alias, written=False)


@pytest.mark.parametrize("alias", ["", " ", "a b", "a/b", "a:b", "..", "a\n", "a\u200b", "a" * 251, "😀"])
def test_aliases_that_are_none(alias: str) -> None:
    assert reason(lambda: check_alias(alias)) == "ALIAS_INVALID"


def test_a_name_with_a_hidden_character_can_be_asked_for() -> None:
    assert reason(lambda: check_model_name("a\u200bb")) == "NAME_INVALID"
    check_model_name("a\u200bb", written=False)


@pytest.mark.parametrize("number", [0, -1, 1 << 63])
def test_versions_count_from_one(number: int) -> None:
    assert reason(lambda: check_version(number)) == "VERSION_INVALID"


def test_only_stages_in_use_can_be_cleared() -> None:
    check_move(event.MODEL_STAGE_PRODUCTION, True)
    assert reason(lambda: check_move(event.MODEL_STAGE_NONE, True)) == "ARCHIVE_INVALID"
    assert reason(lambda: check_move(event.MODEL_STAGE_UNSPECIFIED, False)) == "STAGE_INVALID"
    assert reason(lambda: check_policy(event.ApprovalPolicy(aliases=["v1"]))) == "ALIAS_RESERVED"


def test_texts_have_bounds() -> None:
    check_model_tags({"k": "x" * limits.MODEL_TEXT_CHARACTERS})
    assert reason(lambda: check_model_tags({"k": "x" * (limits.MODEL_TEXT_CHARACTERS + 1)})) == "TEXT_TOO_LONG"
    assert reason(lambda: check_model_tags({}, ["k"] * 2_001)) == "OVER_LIMIT"
    assert reason(lambda: check_comment("x" * 10_001)) == "TEXT_TOO_LONG"
    assert reason(lambda: check_source("x" * 4_097, "source")) == "TEXT_TOO_LONG"


def test_what_a_version_came_from_is_checked() -> None:
    check_lineage(event.ModelLineage())
    many = [event.ModelDataset(name="d")] * 1_001
    for lineage, why in (
        (event.ModelLineage(run_id="x"), "INVALID_ID"),
        (event.ModelLineage(artifact_path="../x"), "ARTIFACT_PATH_INVALID"),
        (event.ModelLineage(git_commit="c" * 201), "NAME_TOO_LONG"),
        (event.ModelLineage(run_link="a\nb"), "NAME_INVALID"),
        (event.ModelLineage(datasets=[event.ModelDataset()]), "NAME_EMPTY"),
        (event.ModelLineage(datasets=many), "OVER_LIMIT"),
    ):
        assert reason(lambda: check_lineage(lineage)) == why  # noqa: B023
