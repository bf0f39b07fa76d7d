"""What must hold of names: each request is decided once, by its place in the log, and answered so.

8  the outcome of a request, its answers, and the tables say what the order of the log made of it
9  a name is one experiment's or model's, and a number of a version is never used again
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from fleetlog_core.log.port import Record
from fleetlog_proto.v1 import frame_pb2, model_history_pb2

from simulation.names_model import Key, NamesModel, Verdict
from simulation.tables import Row

_CREATED = int(model_history_pb2.MODEL_ACTION_VERSION_CREATED)
Must = Callable[[bool, str], None]


class NamesOracle:
    """Looks at the control partition of one world. `must` is told of each look, and whether it holds."""

    def __init__(self, must: Must) -> None:
        self._must = must
        self._model = NamesModel()
        self._verdicts: dict[bytes, Verdict] = {}
        self._log: list[Verdict | None] = []
        """By offset; None: a request that was decided before."""
        self._outcomes: set[bytes] = set()
        """Requests whose outcome is visible."""
        self._rows: dict[Key, tuple[int, tuple[Any, ...]]] = {}
        """Rows that stay, behind the offset of which they are."""
        self._made: dict[tuple[int, int], bytes] = {}
        """Requests by the versions that they made."""
        self._applied = 0

    def logged(self, record: Record) -> None:
        """The control partition has one more record."""
        control = frame_pb2.ControlRecord.FromString(record.value)
        if control.request_id in self._verdicts:
            self._log.append(None)
            return
        verdict = self._verdicts[control.request_id] = self._model.decide(control, record.offset)
        self._log.append(verdict)

    def inserted(self, table: str, rows: Sequence[Row]) -> None:
        """Rows are visible."""
        for row in rows:
            if table == "outcomes":
                self._decided(row)
            elif table == "registry_history" and row["action"] == _CREATED:
                self._numbered(row)
            elif table in _COLUMNS:
                key, value = _COLUMNS[table](row)
                self._changed(key, row["ver"], value)

    def _decided(self, row: Row) -> None:
        request_id: bytes = row["request_id"]
        verdict = self._verdicts.get(request_id)
        told = (row["off"], bool(row["accepted"]), row["reason"], row["result"])
        due = verdict and (verdict.offset, verdict.accepted, verdict.reason, verdict.result)
        self._must(told == due, f"request {_name(request_id)} has the outcome {told}, and the log says {due} (8)")
        number = verdict is not None and verdict.accepted and verdict.experiment
        # One that is refused may name the experiment that is in its way.
        self._must(
            not row["accepted"] or row["experiment"] == number,
            f"request {_name(request_id)} made experiment {row['experiment']}, and the log says {number} (8)",
        )
        self._must(request_id not in self._outcomes, f"request {_name(request_id)} is decided twice (8)")
        self._outcomes.add(request_id)

    def _numbered(self, row: Row) -> None:
        key, request_id = (row["model_id"], row["version"]), row["request_id"]
        before = self._made.setdefault(key, request_id)
        self._must(before == request_id, f"version {key[1]} of model {key[0]} is the number of two versions (9)")

    def _changed(self, key: Key, ver: int, value: tuple[Any, ...]) -> None:
        verdict = self._log[ver] if ver < len(self._log) else None
        due = verdict and verdict.left.get(key)
        self._must(value == due, f"{key} becomes {value} by record {ver}, and by the log {due} (8)")
        if ver >= self._rows.get(key, (0, ()))[0]:
            self._rows[key] = (ver, value)

    def reached(self, next_offset: int) -> None:
        """All before an offset is said to be applied."""
        self._must(next_offset <= len(self._log), f"names are applied up to {next_offset}, beyond the log's end (8)")
        for verdict in self._log[self._applied : next_offset]:
            if verdict is None:
                continue
            name = _name(verdict.request_id)
            self._must(verdict.request_id in self._outcomes, f"request {name} is applied, and has no outcome (8)")
            for key, due in verdict.left.items():
                ver, value = self._rows.get(key, (-1, ()))
                # A later one of the same batch may have changed it since.
                holds = ver > verdict.offset or value == due
                self._must(holds, f"request {name} is applied, and {key} is {value} and not {due} (8)")
        self._applied = max(self._applied, next_offset)

    def answered(self, request_id: bytes, answer: Any) -> None:
        """A client has an answer, of any call."""
        verdict = self._known(request_id)
        if verdict is None:
            return
        if answer.HasField("position"):
            upto = max(one.next_offset for one in answer.position.offsets)
            self._must(verdict.offset < upto, f"request {_name(request_id)} is answered with too low a position (8)")
        told, due = _told(answer, verdict), _due(answer, verdict)
        self._must(told == due, f"request {_name(request_id)} is answered {told}, and the log says {due} (8)")

    def refused(self, request_id: bytes, reason: str) -> None:
        """A client was told that its request is refused."""
        verdict = self._known(request_id)
        due = verdict and verdict.reason
        self._must(reason == due, f"request {_name(request_id)} is refused: {reason}, and the log says {due} (8)")

    def _known(self, request_id: bytes) -> Verdict | None:
        verdict = self._verdicts.get(request_id)
        self._must(verdict is not None, f"request {_name(request_id)} is answered, and not in the log (8)")
        self._must(request_id in self._outcomes, f"request {_name(request_id)} is answered before its outcome is (8)")
        return verdict


def _name(request_id: bytes) -> str:
    return request_id.hex()[:8]


def _experiment(row: Row) -> tuple[Key, tuple[Any, ...]]:
    return ("experiments", row["experiment"], 0), (row["name"], bool(row["deleted"]))


def _model(row: Row) -> tuple[Key, tuple[Any, ...]]:
    state = json.loads(row["state"])
    aliases = tuple(sorted(state.get("aliases", {}).items()))
    told = (row["name"], bool(row["deleted"]), state.get("last_version", 0), aliases)
    return ("registered_models", row["model_id"], 0), told


def _version(row: Row) -> tuple[Key, tuple[Any, ...]]:
    return ("model_versions", row["model_id"], row["version"]), (-1 if row["deleted"] else row["stage"],)


_COLUMNS: dict[str, Callable[[Row], tuple[Key, tuple[Any, ...]]]] = {
    "experiments": _experiment,
    "registered_models": _model,
    "model_versions": _version,
}


def _told(answer: Any, verdict: Verdict) -> tuple[Any, ...]:
    """What an answer says was decided."""
    name = answer.DESCRIPTOR.name
    if name == "CreateExperimentResponse":
        return (answer.experiment.experiment_id,)
    if "Version" in name:
        version = answer.version
        stage = -1 if version.deleted else version.stage
        return (f"{version.model_id}/{version.version}", stage, tuple(version.aliases))
    model = answer.model
    if not verdict.left:
        return (str(model.model_id),)
    return (str(model.model_id), model.name, model.deleted, model.last_version, tuple(sorted(model.aliases.items())))


def _due(answer: Any, verdict: Verdict) -> tuple[Any, ...]:
    """What it has to say."""
    name = answer.DESCRIPTOR.name
    if not verdict.accepted:
        return (verdict.reason,)
    if name == "CreateExperimentResponse":
        return (verdict.experiment,)
    model_id, _, number = verdict.result.partition("/")
    if "Version" in name:
        model = verdict.left["registered_models", int(model_id), 0]
        (stage,) = verdict.left["model_versions", int(model_id), int(number)]
        return (verdict.result, stage, tuple(alias for alias, named in model[3] if named == int(number)))
    if not verdict.left:
        return (model_id,)
    return (model_id, *verdict.left["registered_models", int(model_id), 0])
