"""The fold of registered models: intents in log order, their outcomes, and rows of the registry's tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleetlog_core.registry.states import Kind, State, to_text
from fleetlog_proto.v1 import frame_pb2, model_history_pb2

from fleetlog_ingest.materializer.control.outcome import Outcome, Refused
from fleetlog_ingest.materializer.control.registry_approvals import decide_approval, request_approval
from fleetlog_ingest.materializer.control.registry_decision import (
    Decision,
    Entry,
    Model,
    Registry,
    Subject,
    Version,
)
from fleetlog_ingest.materializer.control.registry_models import (
    add_comment,
    create_model,
    delete_alias,
    delete_model,
    set_alias,
    update_model,
)
from fleetlog_ingest.materializer.control.registry_versions import (
    create_version,
    delete_version,
    transition_version,
    update_version,
)
from fleetlog_ingest.materializer.fold.tables import Columns, Row, columns_of

INTENTS: Mapping[str, Callable[[Decision, Any], None]] = {
    "registered_model_created": create_model,
    "registered_model_updated": update_model,
    "registered_model_deleted": delete_model,
    "model_version_created": create_version,
    "model_version_updated": update_version,
    "model_version_transitioned": transition_version,
    "model_version_deleted": delete_version,
    "model_alias_set": set_alias,
    "model_alias_deleted": delete_alias,
    "model_comment_added": add_comment,
    "model_approval_requested": request_approval,
    "model_approval_decided": decide_approval,
}
"""By the name of the intent in ControlRecord."""
_CURRENT = {Kind.APPROVAL: "model_approvals", Kind.VERSION: "model_versions", Kind.MODEL: "registered_models"}


class RegistryFold:
    """Decides intents one after another, by namespace. Each of them changes all that it asks for, or nothing."""

    def __init__(self, registries: Mapping[str, Registry]) -> None:
        self._registries = dict(registries)
        self._history: list[Row] = []
        self._current: dict[tuple[str, int, Subject], tuple[int, State]] = {}

    def decide(self, control: frame_pb2.ControlRecord, namespace: str, offset: int) -> Outcome:
        """The outcome of one intent."""
        registry = self._registries.setdefault(namespace, Registry())
        decision = Decision(registry, control, offset)
        kind = control.WhichOneof("intent") or ""
        try:
            INTENTS[kind](decision, getattr(control, kind))
            changed = decision.changed()
        except Refused as refusal:
            return Outcome(False, reason=refusal.reason, message=refusal.message)
        for subject, state in changed.items():
            registry.put(state)
            self._current[(namespace, decision.model.model_id, subject)] = (offset, state)
        states = {subject: to_text(state) for subject, state in changed.items()}
        self._history += _history(namespace, decision, states, control.request_id)
        left = {(int(kind), number): text for (kind, number), text in states.items()}
        return Outcome(True, result=decision.result, states=left)

    def changed(self) -> list[tuple[str, State]]:
        """The states that changed, with their namespaces, as they are now."""
        return [(namespace, state) for (namespace, _, _), (_, state) in self._current.items()]

    def tables(self) -> dict[str, Columns]:
        """Rows by table, the history first: see fleetlog_core/registry/snapshot.py."""
        tables: dict[str, Columns] = {}
        if self._history:
            tables["registry_history"] = columns_of("registry_history", self._history)
        for kind, table in _CURRENT.items():
            rows = [
                _current(namespace, state, ver)
                for (namespace, _, subject), (ver, state) in self._current.items()
                if subject[0] == kind
            ]
            if rows:
                tables[table] = columns_of(table, rows)
        return tables


def _history(namespace: str, decision: Decision, changed: Mapping[Subject, str], request_id: bytes) -> list[Row]:
    """A row for each entry. The last one about a subject has its new state; a subject without one gets a row."""
    entries = list(decision.entries)
    told = {entry.about for entry in entries}
    entries += [
        Entry(subject, model_history_pb2.MODEL_ACTION_UNSPECIFIED) for subject in changed if subject not in told
    ]
    last = {entry.about: place for place, entry in enumerate(entries)}
    rows: list[Row] = []
    for place, entry in enumerate(entries):
        kind, number = entry.about
        holds = last[entry.about] == place and entry.about in changed
        rows.append(
            (
                namespace, decision.model.model_id, decision.offset, place, int(kind), number, int(entry.action),
                entry.version, decision.user, decision.time, entry.subject, entry.old_value, entry.new_value,
                entry.comment, entry.approval, request_id, changed[entry.about] if holds else "",
            )
        )  # fmt: skip
    return rows


def _current(namespace: str, state: State, ver: int) -> Row:
    text = to_text(state)
    if isinstance(state, Model):
        return (namespace, state.model_id, state.name, int(state.deleted), ver, text)
    if isinstance(state, Version):
        run_id = state.lineage.run_id
        return (namespace, state.model_id, state.version, int(state.stage), run_id, int(state.deleted), ver, text)
    return (namespace, state.model_id, state.number, int(state.state), ver, text)
