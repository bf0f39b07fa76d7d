"""What becomes of intents on names, in the order of the log, said once more and plainly. Pure.

Experiments are numbered from 1; a name is one experiment's, deleted or not. A registered model's id is the offset of
the intent that made it; its versions are numbered from 1, and a number is never used again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetlog_proto.v1 import frame_pb2, registry_event_pb2

Key = tuple[str, int, int]
"""A table, the number of the experiment or the id of the model, and the number of the version or 0."""
NONE, ARCHIVED = int(registry_event_pb2.MODEL_STAGE_NONE), int(registry_event_pb2.MODEL_STAGE_ARCHIVED)


class Refused(Exception):
    """The intent changes nothing; its only argument is the reason."""


@dataclass(slots=True)
class Model:
    """A registered model."""

    name: str
    deleted: bool = False
    last_version: int = 0
    aliases: dict[str, int] = field(default_factory=dict)
    stages: dict[int, int] = field(default_factory=dict)
    """Stages of its versions, without those that are deleted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request. `left`: what it changed, as the tables have it then."""

    request_id: bytes
    offset: int
    accepted: bool
    experiment: int = 0
    reason: str = ""
    result: str = ""
    left: Mapping[Key, tuple[Any, ...]] = field(default_factory=dict)


class NamesModel:
    """Names of one namespace."""

    def __init__(self) -> None:
        self._experiments: dict[int, tuple[str, bool]] = {0: ("Default", False)}
        """Names, and whether they are deleted."""
        self._models: dict[int, Model] = {}
        self._left: dict[Key, tuple[Any, ...]] = {}
        self._intents: Mapping[str, Callable[[Any, int], int | str]] = {
            "experiment_created": self._create_experiment,
            "experiment_updated": self._rename_experiment,
            "experiment_deleted": lambda intent, offset: self._set_deleted(intent.experiment_id, True),
            "experiment_restored": lambda intent, offset: self._set_deleted(intent.experiment_id, False),
            "registered_model_created": self._create_model,
            "registered_model_updated": self._rename_model,
            "registered_model_deleted": self._delete_model,
            "model_version_created": self._create_version,
            "model_version_transitioned": self._move_version,
            "model_version_deleted": self._delete_version,
            "model_alias_set": self._set_alias,
        }

    def decide(self, record: frame_pb2.ControlRecord, offset: int) -> Verdict:
        """Decide the first request of an id."""
        kind = record.WhichOneof("intent") or ""
        self._left = {}
        try:
            made = self._intents[kind](getattr(record, kind), offset)
        except Refused as refusal:
            return Verdict(record.request_id, offset, False, reason=str(refusal))
        if isinstance(made, int):
            return Verdict(record.request_id, offset, True, experiment=made, left=self._left)
        return Verdict(record.request_id, offset, True, result=made, left=self._left)

    # -- experiments

    def _put_experiment(self, number: int, name: str, deleted: bool) -> int:
        self._experiments[number] = (name, deleted)
        self._left["experiments", number, 0] = (name, deleted)
        return number

    def _create_experiment(self, intent: Any, offset: int) -> int:
        for number, (name, deleted) in self._experiments.items():
            if name == intent.name:
                if intent.exist_ok and not deleted:
                    return number
                raise Refused("EXPERIMENT_EXISTS")
        return self._put_experiment(len(self._experiments), intent.name, False)

    def _rename_experiment(self, intent: Any, offset: int) -> int:
        number = intent.experiment_id
        if number not in self._experiments:
            raise Refused("EXPERIMENT_NOT_FOUND")
        if any(name == intent.name and other != number for other, (name, _) in self._experiments.items()):
            raise Refused("EXPERIMENT_EXISTS")
        return self._put_experiment(number, intent.name, self._experiments[number][1])

    def _set_deleted(self, number: int, deleted: bool) -> int:
        if number not in self._experiments:
            raise Refused("EXPERIMENT_NOT_FOUND")
        if deleted and number == 0:
            raise Refused("DEFAULT_EXPERIMENT")
        return self._put_experiment(number, self._experiments[number][0], deleted)

    # -- registered models

    def _named(self, name: str) -> tuple[int, Model] | None:
        return next(((of, one) for of, one in self._models.items() if one.name == name and not one.deleted), None)

    def _find(self, name: str) -> tuple[int, Model]:
        if (found := self._named(name)) is None:
            raise Refused("MODEL_NOT_FOUND")
        return found

    def _put(self, model_id: int, model: Model, *versions: int) -> None:
        self._models[model_id] = model
        told = (model.name, model.deleted, model.last_version, tuple(sorted(model.aliases.items())))
        self._left["registered_models", model_id, 0] = told
        for number in versions:
            self._left["model_versions", model_id, number] = (model.stages.get(number, -1),)

    def _create_model(self, intent: Any, offset: int) -> str:
        found = self._named(intent.name)
        if found is not None:
            if not intent.exist_ok:
                raise Refused("MODEL_EXISTS")
            return str(found[0])
        self._put(offset, Model(intent.name))
        return str(offset)

    def _rename_model(self, intent: Any, offset: int) -> str:
        model_id, model = self._find(intent.name)
        if intent.new_name != intent.name and self._named(intent.new_name) is not None:
            raise Refused("MODEL_EXISTS")
        model.name = intent.new_name
        self._put(model_id, model)
        return str(model_id)

    def _delete_model(self, intent: Any, offset: int) -> str:
        model_id, model = self._find(intent.name)
        model.deleted = True
        self._put(model_id, model)
        return str(model_id)

    def _create_version(self, intent: Any, offset: int) -> str:
        found = self._named(intent.name)
        if found is None and not intent.create_model:
            raise Refused("MODEL_NOT_FOUND")
        model_id, model = found or (offset, Model(intent.name))
        model.last_version += 1
        model.stages[model.last_version] = NONE
        model.aliases.update(dict.fromkeys(intent.aliases, model.last_version))
        self._put(model_id, model, model.last_version)
        return f"{model_id}/{model.last_version}"

    def _version(self, intent: Any) -> tuple[int, Model]:
        model_id, model = self._find(intent.name)
        if intent.version not in model.stages:
            raise Refused("VERSION_NOT_FOUND")
        return model_id, model

    def _move_version(self, intent: Any, offset: int) -> str:
        model_id, model = self._version(intent)
        moved = [intent.version]
        if intent.archive_existing:
            others = [one for one, stage in model.stages.items() if stage == intent.stage and one != intent.version]
            model.stages.update(dict.fromkeys(others, ARCHIVED))
            moved += others
        model.stages[intent.version] = int(intent.stage)
        self._put(model_id, model, *moved)
        return f"{model_id}/{intent.version}"

    def _delete_version(self, intent: Any, offset: int) -> str:
        model_id, model = self._version(intent)
        del model.stages[intent.version]
        model.aliases = {alias: number for alias, number in model.aliases.items() if number != intent.version}
        self._put(model_id, model, intent.version)
        return f"{model_id}/{intent.version}"

    def _set_alias(self, intent: Any, offset: int) -> str:
        model_id, model = self._version(intent)
        model.aliases[intent.alias] = intent.version
        self._put(model_id, model)
        return str(model_id)
