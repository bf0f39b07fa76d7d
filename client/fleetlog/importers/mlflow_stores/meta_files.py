"""meta.yaml of MLflow's file store: one line a field, which needs no parser of YAML; for the others pyyaml is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):(?: (.*))?")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_SAFE = r"[^\"'\[\]{}#:|>&*!%@`,]"
_PLAIN = re.compile(rf"[A-Za-z0-9_./+~-]{_SAFE}*(?::(?! ){_SAFE}+)*")
"""Scalars that stand for themselves: a colon without a blank behind it is a part of one."""
_NOTHING = ("", "null", "~", "[]", "{}")


class MetaError(ValueError):
    """A meta.yaml that can't be read; `offset` is the line, from 0, where one is known."""

    def __init__(self, why: str, offset: int | None = None) -> None:
        super().__init__(why)
        self.offset = offset


def read_meta(path: Path) -> dict[str, Any]:
    """Returns the fields of a file: texts, None for none, and mappings. MetaError, OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MetaError("it is not UTF-8", text_line(path, error.start)) from None
    found: dict[str, Any] = {}
    for line in text.split("\n"):
        if not line:
            continue
        parts = _LINE.fullmatch(line)
        value = None if parts is None else (parts[2] or "").strip()
        if parts is None or value is None:
            return _by_parser(text)
        if value in _NOTHING:
            found[parts[1]] = None
        elif quoted := _QUOTED.fullmatch(value):
            found[parts[1]] = quoted[1].replace("''", "'")
        elif _PLAIN.fullmatch(value):
            found[parts[1]] = value
        else:
            return _by_parser(text)
    if not found:
        raise MetaError("it is empty")
    return found


def text_line(path: Path, byte: int) -> int:
    """Returns the line, from 0, in which a byte of a file is."""
    return path.read_bytes()[:byte].count(b"\n")


def number(meta: Mapping[str, Any], field: str) -> int | None:
    """Returns a whole number of a meta.yaml. MetaError."""
    value = meta.get(field)
    if value is None or value == "":
        return None
    try:
        return int(float(value)) if "." in str(value) else int(value)
    except ValueError:
        raise MetaError(f"{field} is {str(value)[:40]!r}, which is no number") from None


def _by_parser(text: str) -> dict[str, Any]:
    try:
        import yaml
    except ImportError:
        raise MetaError("reading it needs pyyaml: pip install 'fleetlog[import]'") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(text, Loader=loader)  # noqa: S506  # a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise MetaError(f"it is no YAML: {getattr(error, 'problem', error)}", mark.line if mark else None) from None
    if not isinstance(found, dict):
        raise MetaError("it has no fields")
    return {str(key): _as_text(value) for key, value in found.items()}


def _as_text(value: object) -> Any:
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, dict):
        return {str(key): "" if one is None else str(one) for key, one in value.items()}
    return str(value)
