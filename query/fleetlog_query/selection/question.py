"""What is asked of SelectRuns: the request, checked, with names and types resolved. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import selection_pb2

from fleetlog_query.language.conditions import Plan, windows
from fleetlog_query.language.parts import parts_of
from fleetlog_query.language.quantity import key_of, quantity_of
from fleetlog_query.language.values import Key, Series, Value, read_by
from fleetlog_query.runs.read_mask import ReadMask, parse_read_mask

DEFAULT_CONFIDENCE = 0.95
_ENUMS = {"mode": selection_pb2.ObjectiveMode, "statistic": selection_pb2.GroupStatistic}


@dataclass(frozen=True)
class Objective:
    """A number that is to be small, or large; `text` as it was written."""

    text: str
    value: Value
    maximize: bool
    weight: float


@dataclass(frozen=True)
class Question:
    """See SelectRunsRequest. `parts` are the constraints in the order in which they are asked, with their texts."""

    parts: Sequence[tuple[str, Plan]]
    artifact: str
    objectives: Sequence[Objective]
    groups: Sequence[tuple[str, Key]]
    mode: int
    statistic: int
    confidence: float
    min_count: int
    limit: int
    runs_per_group: int
    mask: ReadMask
    deleted_view: int

    @property
    def sources(self) -> list[Key | Series]:
        """Values that are read for the objectives, each once."""
        return list(dict.fromkeys(source for objective in self.objectives for source in read_by(objective.value)))


def question_of(request: selection_pb2.SelectRunsRequest, now_millis: float) -> Question:
    """InvalidArgument that names the field, and for filters and values the column."""
    for field, enum in _ENUMS.items():
        if getattr(request, field) not in enum.values():
            raise _wrong("SELECTION_INVALID", field, f"{getattr(request, field)} is none of {', '.join(enum.keys())}")
    objectives = _objectives(request, now_millis)
    groups = _groups(request)
    limit, runs_per_group = request.limit or 1, request.runs_per_group or 1
    if limit * runs_per_group > limits.SELECTED_RUNS:
        field = "limit" if limit > limits.SELECTED_RUNS else "runs_per_group"
        what = f"{limit:,} groups with {runs_per_group:,} runs each are {limit * runs_per_group:,} runs to name,"
        raise _wrong("OVER_LIMIT", field, f"{what} at most {limits.SELECTED_RUNS:,}")
    if request.min_count > 1 and not groups:
        raise _wrong("SELECTION_INVALID", "min_count", "it counts the runs of a group; say in group_by what makes one")
    if not 0 <= request.confidence < 1:
        raise _wrong("SELECTION_INVALID", "confidence", f"{request.confidence:g} is not above 0 and below 1")
    if request.artifact_path:
        check_artifact_path(request.artifact_path, written=False)
    # Those that read points come last, and read the points of fewer runs.
    parts = sorted(parts_of(request.scope.filter, now_millis), key=lambda part: bool(windows(part[1])))
    mask = parse_read_mask(request.read_mask) if request.read_mask else _mask(objectives, groups)
    return Question(
        parts, request.artifact_path, objectives, groups,
        request.mode or selection_pb2.OBJECTIVE_MODE_LEXICOGRAPHIC,
        request.statistic or selection_pb2.GROUP_STATISTIC_MEAN,
        request.confidence or DEFAULT_CONFIDENCE, request.min_count or 1, limit, runs_per_group, mask,
        request.scope.deleted_view,
    )  # fmt: skip


def _objectives(request: selection_pb2.SelectRunsRequest, now_millis: float) -> list[Objective]:
    count = len(request.objectives)
    if not 1 <= count <= limits.OBJECTIVES:
        what = f"{count} objectives, 1 to {limits.OBJECTIVES}: say what is to be small or large, as metrics.val_loss"
        raise _wrong("OVER_LIMIT", "objectives", what)
    found = []
    for place, given in enumerate(request.objectives):
        field = f"objectives[{place}]"
        if given.direction not in (selection_pb2.DIRECTION_MINIMIZE, selection_pb2.DIRECTION_MAXIMIZE):
            raise _wrong("SELECTION_INVALID", f"{field}.direction", "say whether small or large is good")
        if not (given.weight >= 0 and math.isfinite(given.weight)):
            raise _wrong("SELECTION_INVALID", f"{field}.weight", f"{given.weight:g} is not a finite number above 0")
        value = quantity_of(given.value, f"{field}.value", now_millis)
        maximize = given.direction == selection_pb2.DIRECTION_MAXIMIZE
        found.append(Objective(given.value.strip(), value, maximize, given.weight or 1.0))
    read = {source for objective in found for source in read_by(objective.value)}
    reading = [source for source in read if isinstance(source, Series) and source.reads_points]
    if len(reading) > limits.FILTER_WINDOWS:
        what = f"{len(reading):,} windows, at most {limits.FILTER_WINDOWS}; each reads points"
        raise _wrong("FILTER_TOO_LARGE", "objectives", what)
    return found


def _groups(request: selection_pb2.SelectRunsRequest) -> list[tuple[str, Key]]:
    if len(request.group_by) > limits.GROUP_KEYS:
        raise _wrong("OVER_LIMIT", "group_by", f"{len(request.group_by)} keys, at most {limits.GROUP_KEYS}")
    found = []
    for place, text in enumerate(request.group_by):
        field = f"group_by[{place}]"
        key = key_of(text, field)
        if key.kind == "metrics":
            what = "a metric is measured, not set: group by params, tags or attributes, such as params.lr"
            raise _wrong("SELECTION_INVALID", field, what)
        found.append((text, key))
    return found


def _mask(objectives: Sequence[Objective], groups: Sequence[tuple[str, Key]]) -> ReadMask:
    """Mask of what objectives and groups name."""
    named: dict[str, set[str]] = {}
    for source in (source for objective in objectives for source in read_by(objective.value)):
        named.setdefault("metrics" if isinstance(source, Series) else source.kind, set()).add(source.key)
    for _, key in groups:
        named.setdefault(key.kind, set()).add(key.key)
    named.pop("attributes", None)
    return ReadMask({kind: frozenset(keys) for kind, keys in named.items()})


def _wrong(reason: str, field: str, what: str) -> InvalidArgument:
    return InvalidArgument.of_field(reason, field, what)
