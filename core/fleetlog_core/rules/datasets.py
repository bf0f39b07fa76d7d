"""Datasets: what may be said of one."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_proto.v1 import event_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.rules.names import check_label, check_text
from fleetlog_core.rules.paths import check_artifact_path

TEXTS = ("source", "schema", "profile")
"""Fields of texts that may be long."""

_LABELS = {
    "name": limits.DATASET_NAME_CHARACTERS, "digest": limits.DATASET_DIGEST_CHARACTERS,
    "context": limits.DATASET_LABEL_CHARACTERS, "source_type": limits.DATASET_LABEL_CHARACTERS,
}  # fmt: skip


def check_dataset(dataset: event_pb2.Dataset, field: str) -> None:
    """NAME_EMPTY, NAME_TOO_LONG, NAME_INVALID, KEY_EMPTY, TEXT_TOO_LONG, TEXT_FILE_INVALID, OVER_LIMIT, and reasons of
    paths."""
    check_dataset_names({name: getattr(dataset, name) for name in _LABELS}, field)
    if len(dataset.tags) > limits.DATASET_TAGS:
        raise InvalidArgument.of_field(
            "OVER_LIMIT",
            f"{field}.tags",
            f"{len(dataset.tags):,}, at most {limits.DATASET_TAGS}; keep the ones asked for",
        )
    for key in dataset.tags:
        if not key:
            raise InvalidArgument.of_field("KEY_EMPTY", f"{field}.tags", "a key is empty; give it a name")
        check_label(key, f"{field}.tags", limits.DATASET_TAG_CHARACTERS)
        check_text(dataset.tags[key], f"{field}.tags[{shown(key)}]")
    for name, path in dataset.text_files.items():
        if name not in TEXTS or getattr(dataset, name):
            raise InvalidArgument.of_field(
                "TEXT_FILE_INVALID",
                f"{field}.text_files",
                f"{shown(name)} is not source, schema or profile, or is said in the dataset too; say each text once",
            )
        check_artifact_path(path, f"{field}.text_files[{name}]")
    for name in TEXTS:
        text = getattr(dataset, name)
        if len(text.encode("utf-8", "surrogatepass")) > limits.DATASET_TEXT_BYTES:
            raise InvalidArgument.of_field(
                "TEXT_TOO_LONG",
                f"{field}.{name}",
                f"{shown(text)} has more than {limits.DATASET_TEXT_BYTES:,} bytes; log it as an artifact, and name"
                " that in text_files",
            )


def check_dataset_names(names: Mapping[str, str], field: str) -> None:
    """What tells datasets apart, by the names of the fields. NAME_EMPTY, NAME_TOO_LONG, NAME_INVALID."""
    if not names["name"].strip():
        raise InvalidArgument.of_field("NAME_EMPTY", f"{field}.name", "the name is empty; say what the data is called")
    for name, text in names.items():
        check_label(text, f"{field}.{name}", _LABELS[name])
