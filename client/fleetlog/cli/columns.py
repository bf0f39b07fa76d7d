"""Columns of a table of runs: what they are called, what they hold, which are shown unasked. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from fleetlog._views.views import RunView

ATTRIBUTES = (
    "run_id", "name", "experiment", "experiment_id", "state", "user", "start_time", "end_time", "duration",
    "parent_run_id",
)  # fmt: skip
GROUPS = ("metrics", "params", "tags")
UNASKED = 4
"""Maximum metrics that are shown unasked."""
_NAMED = re.compile(r"\b(metrics|params|tags)\.(?:`([^`]+)`|([A-Za-z_][\w./]*))")


def document(run: RunView, experiments: Mapping[int, str] | None = None) -> dict[str, Any]:
    """A run for JSON."""
    named = {} if experiments is None else {"experiment": experiments.get(run.experiment_id)}
    return {
        "run_id": run.id, "name": run.name, "state": run.state, "user": run.user,
        "experiment_id": run.experiment_id, **named, "start_time": run.start_time, "end_time": run.end_time,
        "parent_run_id": run.parent_id, **_among_branches(run), "params": run.params, "tags": run.tags,
        "metrics": run.metrics, "datasets": [vars(one) for one in run.datasets],
    }  # fmt: skip


def _among_branches(run: RunView) -> dict[str, Any]:
    """Nothing of a run that goes on from none and was not rewound."""
    said: dict[str, Any] = {}
    if run.forked_from is not None:
        said["forked_from"] = f"{run.forked_from[0]} step {run.forked_from[1]}"
    if run.branch:
        said["branch"] = run.branch
    if run.superseded_by is not None:
        said["superseded_by"] = run.superseded_by
    return said


def asked(text: str) -> list[str]:
    """The columns of --columns. BadParameter names one that can't be."""
    names = [name.strip().replace("`", "") for name in text.split(",") if name.strip()]
    for name in names:
        group, dot, key = name.partition(".")
        if name not in ATTRIBUTES and not (group in GROUPS and dot and key):
            raise typer.BadParameter(
                f"{name!r} is no column: there are {', '.join(ATTRIBUTES)}, metrics.KEY, params.KEY and tags.KEY",
                param_hint="--columns",
            )
    return names


def unasked(runs: Sequence[RunView], mentioned: Iterable[str]) -> list[str]:
    """What a search was about, then the metrics that most of its runs have."""
    names = dict.fromkeys(
        f"{group}.{quoted or bare}" for text in mentioned for group, quoted, bare in _NAMED.findall(text)
    )
    often = Counter(key for run in runs for key in run.metrics)
    for key in sorted(often, key=lambda key: (-often[key], key)):
        if sum(name.startswith("metrics.") for name in names) >= UNASKED:
            break
        names[f"metrics.{key}"] = None
    return [name for name in names if any(value_of(run, name, {}) is not None for run in runs)]


def value_of(run: RunView, column: str, experiments: Mapping[int, str]) -> object:
    """The cell of a column; None when the run has no such thing."""
    group, _, key = column.partition(".")
    if group == "metrics":
        return run.metrics.get(key)
    if group == "params":
        return run.params.get(key)
    if group == "tags":
        return run.tags.get(key)
    if column == "experiment":
        return experiments.get(run.experiment_id, str(run.experiment_id))
    if column == "duration":
        return run.duration
    return document(run)[column]
