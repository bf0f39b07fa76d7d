"""What stands in a record, in one line for people. Pure; from the details that the materializer kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleetlog_core.printable import printable

Detail = Mapping[str, Any]
_WHAT = {
    "params_logged": ("param", "params"),
    "tags_set": ("tag", "tags"),
    "tags_deleted": ("tag deleted", "tags deleted"),
    "artifact_logged": ("file", "files"),
    "artifacts_deleted": ("path deleted", "paths deleted"),
    "datasets_logged": ("dataset", "datasets"),
    "series_inherited": ("metric of its source", "metrics of its source"),
    "logged_model_updated": ("key changed", "keys changed"),
    "documents_put": ("document", "documents"),
}
"""What names are of, by kind: one, and many."""
_STARTED = "run_started"


def summary_of(text: str) -> str:
    """The line of a record's detail, as the table has it; hidden characters are escaped. "" for none."""
    if not text:
        return ""
    details = json.loads(text)
    parts = [
        _of_kind(kind, detail) for kind, detail in details.items() if len(details) == 1 or not _joins(kind, detail)
    ]
    return printable("; ".join(parts))


def _joins(kind: str, detail: Detail) -> bool:
    """True if it says no more than that one more writer has something to say, such as whoever changes a tag."""
    return kind == _STARTED and detail.get("fields", {}).get("opening") in ("join", "annotate")


def _of_kind(kind: str, detail: Detail) -> str:
    if kind == "metrics_logged":
        return _metrics(detail)
    names, fields = detail.get("names", []), detail.get("fields", {})
    if kind in _WHAT:
        count = detail.get("total", len(names))
        parts = [f"{count:,} {_WHAT[kind][count != 1]}: {_names(detail)}" if names else kind.replace("_", " ")]
        if "bytes" in fields:
            parts.append(f"{fields['bytes']:,} bytes")
        return ", ".join(parts)
    parts = [kind.replace("_", " ")]
    if kind == _STARTED and "opening" in fields:
        opening = fields["opening"]
        parts = ["run resumed" if opening == "resume" else "one more writer"]
        fields = {name: value for name, value in fields.items() if name != "opening"}
    if detail.get("events", 1) > 1:
        parts[0] += f" ({detail['events']:,} times)"
    if names:
        parts[0] += f": {_names(detail)}"
    if "points" in detail:
        parts.append(f"{detail['points']:,} points")
    parts += [f"{name.replace('_', ' ')} {value}" for name, value in fields.items()]
    return ", ".join(parts)


def _metrics(detail: Detail) -> str:
    points, count = detail.get("points", 0), detail.get("total", len(detail.get("names", [])))
    line = f"{points:,} {'point' if points == 1 else 'points'} of {_names(detail)}"
    if count > 1:
        line = f"{points:,} points of {count:,} metrics: {_names(detail)}"
    steps = detail.get("steps")
    if steps:
        line += f", step {steps[0]}" if steps[0] == steps[1] else f", steps {steps[0]} to {steps[1]}"
    return line


def _names(detail: Detail) -> str:
    names = detail.get("names", [])
    more = detail.get("total", len(names)) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
