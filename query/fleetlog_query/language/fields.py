"""What can be asked about: groups of keys, and the built-in attributes of a run."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal

from fleetlog_core.datasets import PARTS
from fleetlog_core.errors import shown
from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_proto.v1 import event_pb2

Kind = Literal["params", "tags", "metrics", "attributes", "datasets", "models"]
KIND_NUMBERS = {
    "params": KeyKind.PARAM, "tags": KeyKind.TAG, "metrics": KeyKind.METRIC, "datasets": KeyKind.DATASET,
    "models": KeyKind.MODEL,
}  # fmt: skip
"""attrs.kind."""

_GROUPS: dict[str, Kind] = {
    "metrics": "metrics", "metric": "metrics", "params": "params", "param": "params", "parameters": "params",
    "parameter": "params", "tags": "tags", "tag": "tags", "attributes": "attributes", "attribute": "attributes",
    "attr": "attributes", "run": "attributes", "datasets": "datasets", "dataset": "datasets",
}  # fmt: skip

AttributeType = Literal["text", "id", "state", "time", "number"]
ATTRIBUTES: dict[str, AttributeType] = {
    "run_id": "id", "name": "text", "user": "text", "state": "state", "start_time": "time", "end_time": "time",
    "experiment_id": "number", "parent_run_id": "id",
}  # fmt: skip
_ALIASES = {
    "run_name": "name", "status": "state", "user_id": "user", "created": "start_time", "id": "run_id",
    "run name": "name", "start time": "start_time", "parent_id": "parent_run_id", "experiment": "experiment_id",
}  # fmt: skip
STATES = {
    event_pb2.RunState.Name(number).removeprefix("RUN_STATE_"): number
    for number in (
        event_pb2.RUN_STATE_RUNNING, event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_FAILED,
        event_pb2.RUN_STATE_KILLED, event_pb2.RUN_STATE_SCHEDULED, event_pb2.RUN_STATE_LOST,
    )
}  # fmt: skip


_ELSEWHERE = {
    "artifact_uri": "artifacts of a run have no URI here; ask by run_id",
    "lifecycle_stage": "whether deleted runs are found is said beside the filter, not in it",
    "step": "steps are asked for in a window: min(metrics.val_loss WHERE step < 1000)",
    "rank": "ranks are asked for in a window: min(metrics.val_loss WHERE rank = 0)",
    "time": "times of points are asked for in a window: last(metrics.x WHERE time < '2026-01-31')",
}


def resolve(group: str, key: str) -> tuple[Kind, str] | str:
    """The kind and the key; or, as one text, what is wrong."""
    if not group:
        kind: Kind | None = "attributes"
    else:
        kind = _GROUPS.get(group)
    if kind is None:
        near = get_close_matches(group, _GROUPS, 1)
        hint = f"; did you mean {_GROUPS[near[0]]}?" if near else ""
        return f"there is no group {shown(group)}: metrics, params, tags, datasets or attributes{hint}"
    if kind == "datasets":
        part = key.lower()
        return (kind, part) if part in PARTS else f"{shown(key)} is nothing of a dataset: there are {', '.join(PARTS)}"
    if kind != "attributes":
        return kind, key
    name = _ALIASES.get(key.lower(), key.lower())
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if name in ATTRIBUTES:
        return kind, name
    near = get_close_matches(name, [*ATTRIBUTES, *_ALIASES], 1)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"there are {', '.join(ATTRIBUTES)}; keys go by metrics., params. or tags."
    )
    return f"{shown(key)} is no attribute of a run: {hint}"
