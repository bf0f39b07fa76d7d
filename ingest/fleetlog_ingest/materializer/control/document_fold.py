"""Intents on documents, decided one after another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetlog_core.documents.snapshot import DocumentState
from fleetlog_core.errors import shown
from fleetlog_proto.v1 import document_event_pb2, frame_pb2

from fleetlog_ingest.materializer.control.outcome import Outcome, Refused
from fleetlog_ingest.materializer.fold.tables import Columns, Row, columns_of

DOCUMENT_INTENTS = ("documents_put",)
"""By the name of the intent in ControlRecord."""
Name = tuple[str, str]
"""Kind and id of a document, or kind and unique key."""


@dataclass(slots=True)
class Documents:
    """Documents of a namespace, as far as a batch asks for them: by name, deleted ones too, and ids by unique key."""

    states: dict[Name, DocumentState] = field(default_factory=dict)
    holders: dict[Name, str] = field(default_factory=dict)

    def put(self, kind: str, state: DocumentState) -> None:
        """Take the state in place of the one before."""
        name = (kind, state.document_id)
        before = self.states.get(name)
        if before is not None and before.unique_key and self.holders.get((kind, before.unique_key)) == name[1]:
            del self.holders[(kind, before.unique_key)]
        if state.unique_key:
            self.holders[(kind, state.unique_key)] = state.document_id
        self.states[name] = state


class _Decision:
    """One intent: what it changes lies over what there is, until it is accepted."""

    def __init__(self, known: Documents, control: frame_pb2.ControlRecord, offset: int) -> None:
        self._known = known
        self._control = control
        self._offset = offset
        self._changed: dict[Name, DocumentState] = {}
        self._holders: dict[Name, str] = {}

    def put(self, put: document_event_pb2.DocumentPut, where: str) -> DocumentState:
        """The state that one document comes to have. Refused."""
        name = (put.kind, put.document_id)
        before = self._changed.get(name) or self._known.states.get(name)
        self._check(put, before, where)
        if before is not None and before.unique_key:
            self._holders[(put.kind, before.unique_key)] = ""
        state = _after(put, before, self._control, self._offset)
        if state.unique_key:
            self._holders[(put.kind, state.unique_key)] = state.document_id
        self._changed[name] = state
        return state

    def accept(self) -> None:
        """What was put is what there is."""
        for (kind, _), state in self._changed.items():
            self._known.put(kind, state)

    def _check(self, put: document_event_pb2.DocumentPut, before: DocumentState | None, where: str) -> None:
        there = before if before is not None and not before.deleted else None
        expected = put.expected_revision if put.HasField("expected_revision") else None
        name = shown(put.document_id)
        if there is None:
            if expected or put.deleted:
                raise Refused(
                    "DOCUMENT_NOT_FOUND", f"{where}.document_id: there is no {put.kind} {name} in this namespace"
                )
        elif expected == 0:
            raise Refused("DOCUMENT_EXISTS", f"{where}.document_id: there is a {put.kind} {name} already")
        elif expected is not None and expected != there.revision:
            raise Refused(
                "DOCUMENT_CHANGED",
                f"{where}.expected_revision: {put.kind} {name} has revision {there.revision}, not {expected}; read it,"
                " and decide anew",
            )
        if put.unique_key and not put.deleted:
            key = (put.kind, put.unique_key)
            holder = self._holders.get(key, self._known.holders.get(key, ""))
            if holder and holder != put.document_id:
                raise Refused(
                    "DOCUMENT_EXISTS",
                    f"{where}.unique_key: {shown(put.unique_key)} is that of {put.kind} {shown(holder)}",
                )


class DocumentFold:
    """Decides intents by namespace. Each changes all that it asks for, or nothing."""

    def __init__(self, documents: Mapping[str, Documents]) -> None:
        self._documents = dict(documents)
        self._rows: list[Row] = []

    def decide(self, control: frame_pb2.ControlRecord, namespace: str, offset: int) -> Outcome:
        """The outcome of one intent. Refused DOCUMENT_EXISTS, DOCUMENT_CHANGED, DOCUMENT_NOT_FOUND."""
        decision = _Decision(self._documents.setdefault(namespace, Documents()), control, offset)
        puts = control.documents_put.documents
        try:
            states = [decision.put(put, f"documents[{place}]") for place, put in enumerate(puts)]
        except Refused as refused:
            return Outcome(False, reason=refused.reason, message=refused.message)
        decision.accept()
        self._rows += [_row(namespace, put, state, control) for put, state in zip(puts, states, strict=True)]
        return Outcome(True, result="/".join(str(state.revision) for state in states))

    def tables(self) -> dict[str, Columns]:
        """Rows by table."""
        return {"documents": columns_of("documents", self._rows)} if self._rows else {}


def _after(
    put: document_event_pb2.DocumentPut, before: DocumentState | None, control: frame_pb2.ControlRecord, offset: int
) -> DocumentState:
    is_new = before is None or before.deleted
    return DocumentState(
        document_id=put.document_id,
        revision=1 if before is None else before.revision + 1,
        made=offset if before is None or is_new else before.made,
        ver=offset,
        parent_id="" if put.deleted else put.parent_id,
        unique_key="" if put.deleted else put.unique_key,
        deleted=put.deleted,
        create_time_millis=control.ingest_time_millis if before is None or is_new else before.create_time_millis,
        create_user=control.user if before is None or is_new else before.create_user,
    )


def _row(
    namespace: str, put: document_event_pb2.DocumentPut, state: DocumentState, control: frame_pb2.ControlRecord
) -> Row:
    body = "" if put.deleted else put.body
    return (
        namespace, put.kind, state.document_id, state.ver, state.revision, state.made, state.parent_id,
        state.unique_key, int(state.deleted), state.create_time_millis, control.ingest_time_millis, state.create_user,
        control.user, len(body.encode()), body,
    )  # fmt: skip
