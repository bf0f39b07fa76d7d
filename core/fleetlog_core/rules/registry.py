"""Registered models: what may be asked of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from fleetlog_proto.v1 import registry_event_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import parse_id
from fleetlog_core.printable import hidden_character
from fleetlog_core.rules.datasets import check_dataset_names
from fleetlog_core.rules.names import check_key, check_label
from fleetlog_core.rules.paths import check_artifact_path

_ALIAS = re.compile(r"[\w-]+")
_RESERVED = re.compile(r"latest|v[0-9]+", re.I)
STAGES: Mapping[int, str] = {
    registry_event_pb2.MODEL_STAGE_NONE: "None",
    registry_event_pb2.MODEL_STAGE_STAGING: "Staging",
    registry_event_pb2.MODEL_STAGE_PRODUCTION: "Production",
    registry_event_pb2.MODEL_STAGE_ARCHIVED: "Archived",
}
"""Stages by number, as people write them."""
ARCHIVING = (registry_event_pb2.MODEL_STAGE_STAGING, registry_event_pb2.MODEL_STAGE_PRODUCTION)
"""Stages that others can be archived from when a version comes in."""


def check_model_name(name: str, field: str = "name", *, written: bool = True) -> None:
    """A model's name. NAME_EMPTY, NAME_TOO_LONG, NAME_INVALID. Hidden characters matter in what is `written` only."""
    if not name.strip():
        raise InvalidArgument.of_field(
            "NAME_EMPTY", field, f"the name is empty; give it 1 to {limits.MODEL_NAME_CHARACTERS} characters"
        )
    check_label(name, field, limits.MODEL_NAME_CHARACTERS)
    if "/" in name or ":" in name:
        raise InvalidArgument.of_field(
            "NAME_INVALID", field, f'{shown(name)} has a "/" or ":", which divide a model\'s URI; leave them out'
        )
    if written:
        _check_seen(name, field)


def check_alias(alias: str, field: str = "alias", *, written: bool = True) -> None:
    """An alias. ALIAS_INVALID; ALIAS_RESERVED in what is `written`."""
    if len(alias) > limits.ALIAS_CHARACTERS or not _ALIAS.fullmatch(alias):
        raise InvalidArgument.of_field(
            "ALIAS_INVALID",
            field,
            f"{shown(alias)} is not 1 to {limits.ALIAS_CHARACTERS} letters, digits, '-' and '_'; rename it",
        )
    if written and _RESERVED.fullmatch(alias):
        raise InvalidArgument.of_field(
            "ALIAS_RESERVED",
            field,
            f"{shown(alias)} is reserved: 'latest' and 'v' with a number always mean a version; give it another name",
        )


def check_aliases(aliases: Collection[str], field: str) -> None:
    """Several of them. ALIAS_INVALID, ALIAS_RESERVED, OVER_LIMIT."""
    if len(aliases) > limits.ALIASES_PER_REQUEST:
        raise _over(field, len(aliases), limits.ALIASES_PER_REQUEST)
    for place, alias in enumerate(aliases):
        check_alias(alias, f"{field}[{place}]")


def check_model_tags(tags: Mapping[str, str], deleted: Collection[str] = ()) -> None:
    """Tags to set and keys to remove. KEY_EMPTY, KEY_TOO_LONG, KEY_INVALID, TEXT_TOO_LONG, OVER_LIMIT."""
    for field, count in (("tags", len(tags)), ("deleted_tags", len(deleted))):
        if count > limits.TAGS_PER_EVENT:
            raise _over(field, count, limits.TAGS_PER_EVENT)
    for key in sorted(tags):
        check_key(key, "tags")
        _check_length(tags[key], f"tags[{shown(key)}]", limits.MODEL_TEXT_CHARACTERS, "log it as an artifact")
    for place, key in enumerate(deleted):
        check_key(key, f"deleted_tags[{place}]", written=False)


def check_description(text: str, field: str = "description") -> None:
    """TEXT_TOO_LONG."""
    _check_length(text, field, limits.MODEL_TEXT_CHARACTERS, "log it as an artifact")


def check_comment(text: str, field: str = "comment", *, may_be_empty: bool = True) -> None:
    """TEXT_TOO_LONG, TEXT_EMPTY."""
    if not may_be_empty and not text.strip():
        raise InvalidArgument.of_field("TEXT_EMPTY", field, "the comment is empty; say something")
    _check_length(text, field, limits.MODEL_COMMENT_CHARACTERS, "shorten it")


def check_version(number: int, field: str = "version") -> None:
    """The number of a version. VERSION_INVALID. The highest is that of a signed 64-bit integer."""
    if not 0 < number < 1 << 63:
        raise InvalidArgument.of_field("VERSION_INVALID", field, f"{number} is no version: they count from 1")


def check_model_id(model_id: int, field: str = "model_id") -> None:
    """The id of a model, an offset of the log. MODEL_ID_INVALID."""
    if not 0 <= model_id < 1 << 63:
        raise InvalidArgument.of_field(
            "MODEL_ID_INVALID", field, f"{model_id} is no id of a model; give one that an answer had"
        )


def stage_name(stage: int) -> str:
    """As people write it; one that is not known by its number."""
    return STAGES.get(stage, f"stage {stage}")


def check_stage(stage: int, field: str = "stage") -> None:
    """STAGE_INVALID."""
    if stage not in STAGES:
        raise InvalidArgument.of_field(
            "STAGE_INVALID", field, f"{stage} is none of NONE, STAGING, PRODUCTION and ARCHIVED; give one of them"
        )


def check_move(stage: int, archive_existing: bool) -> None:
    """A stage to move to. STAGE_INVALID, ARCHIVE_INVALID."""
    check_stage(stage)
    if archive_existing and stage not in ARCHIVING:
        raise InvalidArgument.of_field(
            "ARCHIVE_INVALID",
            "archive_existing",
            f"goes with STAGING and PRODUCTION, not with {STAGES[stage]}; unset it",
        )


def check_policy(policy: registry_event_pb2.ApprovalPolicy) -> None:
    """STAGE_INVALID, ALIAS_INVALID, ALIAS_RESERVED, OVER_LIMIT."""
    if len(policy.stages) > len(STAGES):
        raise _over("approval_policy.stages", len(policy.stages), len(STAGES))
    for place, stage in enumerate(policy.stages):
        check_stage(stage, f"approval_policy.stages[{place}]")
    check_aliases(policy.aliases, "approval_policy.aliases")


def check_source(text: str, field: str) -> None:
    """A URI or a path, which is kept and never opened. TEXT_TOO_LONG, NAME_INVALID."""
    if len(text) > limits.MODEL_URI_CHARACTERS:
        _check_length(text, field, limits.MODEL_URI_CHARACTERS, "shorten it")
    check_label(text, field, limits.MODEL_URI_CHARACTERS)
    _check_seen(text, field)


def check_lineage(lineage: registry_event_pb2.ModelLineage, field: str = "lineage") -> None:
    """What a version came from. INVALID_ID, ARTIFACT_PATH_INVALID, NAME_TOO_LONG, NAME_INVALID, OVER_LIMIT."""
    if lineage.run_id:
        parse_id(lineage.run_id, f"{field}.run_id")
    if lineage.artifact_path:
        check_artifact_path(lineage.artifact_path, f"{field}.artifact_path")
    check_label(lineage.git_commit, f"{field}.git_commit", limits.MODEL_ID_CHARACTERS)
    check_label(lineage.logged_model_id, f"{field}.logged_model_id", limits.MODEL_ID_CHARACTERS)
    check_label(lineage.foreign_run_id, f"{field}.foreign_run_id", limits.MODEL_ID_CHARACTERS)
    check_source(lineage.run_link, f"{field}.run_link")
    if len(lineage.datasets) > limits.DATASETS_PER_RUN:
        raise _over(f"{field}.datasets", len(lineage.datasets), limits.DATASETS_PER_RUN)
    for place, dataset in enumerate(lineage.datasets):
        names = {"name": dataset.name, "digest": dataset.digest, "context": dataset.context}
        check_dataset_names(names, f"{field}.datasets[{place}]")


def _check_length(text: str, field: str, limit: int, mend: str) -> None:
    if len(text) > limit:
        raise InvalidArgument.of_field(
            "TEXT_TOO_LONG", field, f"{shown(text)} has {len(text):,} characters, at most {limit:,}; {mend}"
        )


def _check_seen(text: str, field: str) -> None:
    hidden = hidden_character(text)
    if hidden:
        raise InvalidArgument.of_field(
            "NAME_INVALID", field, f"{shown(text)} has {hidden}, which is not seen; leave it out"
        )


def _over(field: str, count: int, limit: int) -> InvalidArgument:
    return InvalidArgument.of_field("OVER_LIMIT", field, f"{count:,}, at most {limit:,}; give fewer")
