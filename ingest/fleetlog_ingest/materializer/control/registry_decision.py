"""One intent on one registered model: what it finds, what it changes, and what the history says of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fleetlog_core import limits
from fleetlog_core.errors import shown
from fleetlog_core.registry.states import Kind, State
from fleetlog_proto.v1 import (
    frame_pb2,
    model_approval_pb2,
    model_history_pb2,
    model_version_pb2,
    registered_model_pb2,
    registry_event_pb2,
)

from fleetlog_ingest.materializer.control.outcome import Refused

Model = registered_model_pb2.RegisteredModel
Version = model_version_pb2.ModelVersion
Approval = model_approval_pb2.Approval
Subject = tuple[Kind, int]
"""Kind of a state, and the number of the version or the approval; 0 for the model."""


def subject_of(state: State) -> Subject:
    """Subject, within its model, of a state."""
    if isinstance(state, Model):
        return Kind.MODEL, 0
    return (Kind.VERSION, state.version) if isinstance(state, Version) else (Kind.APPROVAL, state.number)


@dataclass(slots=True)
class Registry:
    """Models of a namespace by id, their versions and approvals by (id, number): as far as they are known."""

    models: dict[int, Model] = field(default_factory=dict)
    versions: dict[tuple[int, int], Version] = field(default_factory=dict)
    approvals: dict[tuple[int, int], Approval] = field(default_factory=dict)
    _ids: dict[str, int] = field(default_factory=dict)

    def named(self, name: str) -> Model | None:
        """The model that has the name now."""
        return self.models.get(self._ids.get(name, -1))

    def put(self, state: State) -> None:
        """Take the state in place of the one before."""
        if isinstance(state, Model):
            before = self.models.get(state.model_id)
            if before is not None and not before.deleted:
                del self._ids[before.name]
            if not state.deleted:
                self._ids[state.name] = state.model_id
            self.models[state.model_id] = state
        elif isinstance(state, Version):
            self.versions[(state.model_id, state.version)] = state
        else:
            self.approvals[(state.model_id, state.number)] = state

    def drop(self, model_id: int, subject: Subject) -> None:
        """Know nothing of it any more."""
        kind, number = subject
        if kind is Kind.VERSION:
            self.versions.pop((model_id, number), None)
        elif kind is Kind.APPROVAL:
            self.approvals.pop((model_id, number), None)
        elif (model := self.models.pop(model_id, None)) is not None and not model.deleted:
            del self._ids[model.name]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the history, see fleetlog.v1.ModelHistoryEntry."""

    about: Subject
    action: model_history_pb2.ModelAction.ValueType
    version: int = 0
    subject: str = ""
    old_value: str = ""
    new_value: str = ""
    comment: str = ""
    approval: int = 0


class Decision:
    """The states that an intent changes are copies until it is accepted; `changed` gives them."""

    def __init__(self, registry: Registry, record: frame_pb2.ControlRecord, offset: int) -> None:
        self.registry = registry
        self.user = record.user
        self.time = record.ingest_time_millis
        self.offset = offset
        self.result = ""
        self.model = Model()
        self.entries: list[Entry] = []
        self._changed: dict[Subject, State] = {}
        self._approval = 0

    def find(self, name: str) -> None:
        """Take the model of the name as `model`. Refused MODEL_NOT_FOUND."""
        found = self.registry.named(name)
        if found is None:
            raise Refused("MODEL_NOT_FOUND", f"name: there is no model {shown(name)} in this namespace")
        self.model = Model()
        self.model.CopyFrom(found)

    def make(self, name: str) -> None:
        """A new model as `model`."""
        self.model = Model(model_id=self.offset, name=name, create_time_millis=self.time, create_user=self.user)
        self.touch()
        self.tell(Entry((Kind.MODEL, 0), model_history_pb2.MODEL_ACTION_MODEL_CREATED, new_value=name))

    def touch(self) -> None:
        """The model is changed with this intent."""
        self.model.update_time_millis = self.time
        self._changed[(Kind.MODEL, 0)] = self.model

    def version(self, number: int) -> Version:
        """A version to look at. Refused VERSION_NOT_FOUND."""
        changed = self._changed.get((Kind.VERSION, number))
        found = changed or self.registry.versions.get((self.model.model_id, number))
        if not isinstance(found, Version) or found.deleted:
            there = f"the highest is {self.model.last_version}" if self.model.last_version else "it has none"
            raise Refused(
                "VERSION_NOT_FOUND", f"version: model {shown(self.model.name)} has no version {number}; {there}"
            )
        return found

    def change_version(self, number: int) -> Version:
        """A version to change. Refused VERSION_NOT_FOUND."""
        version = Version()
        version.CopyFrom(self.version(number))
        version.update_time_millis = self.time
        self._changed[(Kind.VERSION, number)] = version
        self.touch()
        return version

    def make_version(self) -> Version:
        """The next version of the model."""
        self.model.last_version += 1
        version = Version(
            version=self.model.last_version,
            stage=registry_event_pb2.MODEL_STAGE_NONE,
            create_time_millis=self.time,
            update_time_millis=self.time,
            create_user=self.user,
            model_id=self.model.model_id,
        )
        self._changed[(Kind.VERSION, version.version)] = version
        self.touch()
        return version

    def in_stage(self, stage: int, but: int) -> Iterator[int]:
        """Numbers of the versions in a stage, without one of them."""
        for (model_id, number), version in sorted(self.registry.versions.items()):
            if model_id == self.model.model_id and number != but and version.stage == stage and not version.deleted:
                yield number

    def change_approval(self, approval: Approval) -> None:
        """The approval is changed or made with this intent."""
        self._changed[(Kind.APPROVAL, approval.number)] = approval

    def approved_by(self, number: int) -> None:
        """What follows is done by an approval."""
        self._approval = number

    def demand(self, protected: bool, what: str) -> None:
        """Refused APPROVAL_REQUIRED when what is protected is not done by an approval."""
        if protected and not self._approval:
            raise Refused(
                "APPROVAL_REQUIRED",
                f"model {shown(self.model.name)} demands an approval for {what}; request one, and let it be approved",
            )

    def tell(self, entry: Entry) -> None:
        """A line of the history."""
        self.entries.append(entry)

    @property
    def approval(self) -> int:
        """The approval by which it is done; 0 = none."""
        return self._approval

    def changed(self) -> dict[Subject, State]:
        """The states that the intent leaves, by subject. Refused MODEL_TOO_LARGE."""
        for state in self._changed.values():
            if not isinstance(state, Approval):
                _check_size(state)
        return self._changed


def _check_size(state: Model | Version) -> None:
    size = len(state.description.encode()) + sum(
        len(key.encode()) + len(text.encode()) for key, text in state.tags.items()
    )
    if size > limits.MODEL_STATE_BYTES:
        raise Refused(
            "MODEL_TOO_LARGE",
            f"tags: with the description they would have {size:,} bytes, at most {limits.MODEL_STATE_BYTES:,};"
            " delete some, or log them as artifacts",
        )
