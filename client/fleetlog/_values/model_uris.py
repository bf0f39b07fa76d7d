"""Addresses of models: models:/NAME/3, models:/NAME/Production, models:/NAME/latest, models:/NAME@ALIAS. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import parse_id

STAGES = {"none": "None", "staging": "Staging", "production": "Production", "archived": "Archived"}
_MODEL = re.compile(r"models:/+(?P<rest>[^/:].*)", re.DOTALL)
_RUN = re.compile(r"runs:/+(?P<run>[^/]+)(?:/(?P<path>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """A model, and at most one of version, alias and stage; none of them: the version with the highest number."""

    name: str
    version: int = 0
    alias: str = ""
    stage: str = ""


def model_address(uri: str) -> ModelAddress:
    """The address that a URI says. InvalidArgument MODEL_URI_INVALID."""
    match = _MODEL.fullmatch(uri)
    parts = match["rest"].split("/") if match else []
    if len(parts) == 1 and "@" in parts[0]:
        name, _, alias = parts[0].rpartition("@")
        if name and alias:
            return ModelAddress(name, alias=alias)
    elif len(parts) == 2 and all(parts):
        name, which = parts
        if which.isascii() and which.isdigit() and int(which):
            return ModelAddress(name, version=int(which))
        if which.lower() == "latest":
            return ModelAddress(name)
        if which.lower() in STAGES:
            return ModelAddress(name, stage=STAGES[which.lower()])
    raise InvalidArgument.of_field(
        "MODEL_URI_INVALID",
        "uri",
        f"{shown(uri)} is none of models:/NAME/3, models:/NAME/Production, models:/NAME/latest and models:/NAME@ALIAS",
    )


def run_address(source: str) -> tuple[str, str]:
    """Run id and path of "runs:/RUN_ID/PATH"; two empty texts for another source. InvalidArgument INVALID_ID."""
    match = _RUN.fullmatch(source)
    return (parse_id(match["run"], "source").hex(), match["path"] or "") if match else ("", "")
