"""What stands in a record, in short: counts, the first names, the range of steps; no values, and no secrets. Pure.

A detail is a JSON object of payload or intent to an object with any of these, kept as it is in the table:

    events    number of events of the kind, left out for one
    names     the first NAMES names: keys, paths, the run's or model's name
    total     number of distinct names, left out when `names` has them all
    points    points of metrics, or points that were lost
    steps     [lowest, highest] step
    fields    further fields, name -> text or number
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from fleetlog_proto.v1 import event_pb2, frame_pb2

NAMES = 5
NAME_CHARACTERS = 100
"""Characters that are kept of a longer one, its beginning."""
FEW_ROWS = 64
"""Below these, steps are summed one by one: an array takes as long to be made."""
Detail = dict[str, Any]
_STATES = event_pb2.RunState.DESCRIPTOR.values_by_number
_FIELDS = (
    "name", "new_name", "alias", "version", "stage", "number", "approved", "experiment_id", "webhook_id", "token_id",
    "principal",
)  # fmt: skip
"""Fields of intents that tell what they are about. None of them is a secret."""


def details_of(events: Iterable[event_pb2.Event]) -> dict[str, Detail]:
    """Details of the events of a frame, by payload."""
    found: dict[str, list[event_pb2.Event]] = {}
    for event in events:
        found.setdefault(event.WhichOneof("payload") or "unknown", []).append(event)
    return {kind: _detail(kind, some) for kind, some in found.items()}


def detail_of_intent(control: frame_pb2.ControlRecord, kind: str) -> Detail:
    """Detail of an intent."""
    intent = getattr(control, kind)
    if kind == "documents_put":
        return _named(f"{one.kind}/{one.document_id}" for one in intent.documents)
    fields: dict[str, str | int] = {}
    for name in _FIELDS:
        field = intent.DESCRIPTOR.fields_by_name.get(name)
        value: Any = getattr(intent, name, None)
        if field is None or (not value and name != "experiment_id"):
            continue
        if field.enum_type is not None:
            number = field.enum_type.values_by_number.get(value)
            value = value if number is None else number.name
        fields[name] = _cut(value) if isinstance(value, str) else int(value or 0)
    return {"fields": fields} if fields else {}


def text_of(details: Mapping[str, Detail]) -> str:
    """As the table keeps it."""
    return json.dumps(details, ensure_ascii=False, separators=(",", ":"))


def _detail(kind: str, events: list[event_pb2.Event]) -> Detail:
    detail = _metrics(events) if kind == "metrics_logged" else _OTHERS.get(kind, _nothing)(events)
    if len(events) > 1:
        detail["events"] = len(events)
    return detail


def _metrics(events: list[event_pb2.Event]) -> Detail:
    keys, points = dict[str, None](), 0
    lowest, highest = None, None
    for event in events:
        metrics = event.metrics_logged
        keys.update(dict.fromkeys([column.key for column in metrics.columns]))
        rows = len(metrics.step_deltas)
        points += rows * len(metrics.columns)
        if not rows:
            continue
        if rows == 1:
            low = high = metrics.step_deltas[0]
        elif rows < FEW_ROWS:
            steps = list(accumulate(metrics.step_deltas))
            low, high = min(steps), max(steps)
        else:
            summed = np.cumsum(np.array(metrics.step_deltas, dtype=np.int64))
            low, high = int(summed.min()), int(summed.max())
        lowest = low if lowest is None else min(lowest, low)
        highest = high if highest is None else max(highest, high)
    detail = {**_named(keys), "points": points}
    return detail if lowest is None else {**detail, "steps": [lowest, highest]}


def _started(events: list[event_pb2.Event]) -> Detail:
    first = events[0].run_started
    opening = event_pb2.RunOpening.DESCRIPTOR.values_by_number.get(first.opening)
    fields: dict[str, str | int] = {"params": len(first.params), "tags": len(first.tags)}
    if opening is not None and opening.number > event_pb2.RUN_OPENING_CREATE:
        fields["opening"] = opening.name.removeprefix("RUN_OPENING_").lower()
    return {**_named([first.name] if first.name else []), "fields": {name: one for name, one in fields.items() if one}}


def _updated(events: list[event_pb2.Event]) -> Detail:
    update = events[-1].run_updated
    state = {"state": _state(update.state)} if update.state else {}
    return {**_named([update.name] if update.HasField("name") else []), "fields": state}


def _artifacts(events: list[event_pb2.Event]) -> Detail:
    total = sum(event.artifact_logged.size_bytes for event in events)
    return {**_named(event.artifact_logged.path for event in events), "fields": {"bytes": total}}


def _lost(events: list[event_pb2.Event]) -> Detail:
    losses = [event.loss_reported for event in events]
    fields = {"lost_events": sum(loss.events for loss in losses)}
    return {**_named(loss.reason for loss in losses), "points": sum(loss.points for loss in losses), "fields": fields}


def _refused(events: list[event_pb2.Event]) -> Detail:
    refused = [event.event_refused for event in events]
    return {**_named(one.reason for one in refused), "points": sum(one.points for one in refused)}


def _branched(events: list[event_pb2.Event]) -> Detail:
    branched = events[0].run_branched
    fields = {"source_run_id": branched.source_run_id.hex(), "step": branched.step, "rewinds": int(branched.rewinds)}
    return {"fields": fields}


def _imported(events: list[event_pb2.Event]) -> Detail:
    runs = events[0].runs_imported
    fields = {
        "runs": len(runs.run_ids) // 16, "params": len({column.key for column in runs.params}),
        "tags": len(runs.tags), "metrics": len(runs.metrics),
    }  # fmt: skip
    return {"fields": fields}


def _of_keys(keys: Callable[[event_pb2.Event], Iterable[str]]) -> Callable[[list[event_pb2.Event]], Detail]:
    return lambda events: _named(key for event in events for key in keys(event))


def _nothing(events: list[event_pb2.Event]) -> Detail:
    return {}


_OTHERS: Mapping[str, Callable[[list[event_pb2.Event]], Detail]] = {
    "run_started": _started,
    "run_updated": _updated,
    "run_finished": lambda events: {"fields": {"state": _state(events[-1].run_finished.state)}},
    "params_logged": _of_keys(lambda event: [param.key for param in event.params_logged.params]),
    "tags_set": _of_keys(lambda event: sorted(event.tags_set.tags)),
    "tags_deleted": _of_keys(lambda event: event.tags_deleted.keys),
    "artifact_logged": _artifacts,
    "artifacts_deleted": _of_keys(lambda event: [event.artifacts_deleted.path or "."]),
    "loss_reported": _lost,
    "event_refused": _refused,
    "runs_imported": _imported,
    "datasets_logged": _of_keys(lambda event: [one.name for one in event.datasets_logged.datasets]),
    "models_linked": lambda events: {
        "fields": {
            "inputs": sum(len(event.models_linked.input_model_ids) for event in events),
            "outputs": sum(len(event.models_linked.outputs) for event in events),
        }
    },
    "run_branched": _branched,
    "series_inherited": _of_keys(lambda event: [one.key for one in event.series_inherited.series]),
    "logged_model_created": _of_keys(lambda event: [event.logged_model_created.name]),
    "logged_model_updated": _of_keys(
        lambda event: sorted([*event.logged_model_updated.params, *event.logged_model_updated.tags])
    ),
}


def _named(names: Iterable[str]) -> Detail:
    """The first names, and how many distinct ones there are."""
    known = list(dict.fromkeys(names))
    if not known:
        return {}
    detail: Detail = {"names": [_cut(name) for name in known[:NAMES]]}
    if len(known) > NAMES:
        detail["total"] = len(known)
    return detail


def _cut(text: str) -> str:
    return text if len(text) <= NAME_CHARACTERS else text[: NAME_CHARACTERS - 1] + "…"


def _state(number: int) -> str:
    known = _STATES.get(number)
    return str(number) if known is None else known.name.removeprefix("RUN_STATE_").lower()
