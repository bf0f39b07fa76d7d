"""Experiments of a namespace. "Default" (0) is always there, whether or not anybody wrote it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fleetlog_core.errors import NotFound, shown
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import experiment_pb2

from fleetlog_query.warehouse.rows import rows_of
from fleetlog_query.warehouse.versioned_cache import VersionedCache

DEFAULT_NAME = "Default"
_COLUMNS = ("experiment", "name", "tags", "created", "changed", "deleted", "artifact_location")
_SELECT = f"""
SELECT experiment, name, tags, toUnixTimestamp64Milli(create_time) AS created,
    toUnixTimestamp64Milli(update_time) AS changed, deleted, artifact_location
FROM experiments FINAL WHERE namespace = {{namespace:String}} AND deleted < {PURGED}"""
_ALL = f"{_SELECT} ORDER BY experiment"
_NAMED = f"{_SELECT} AND (name = {{name:String}} OR experiment = 0) ORDER BY experiment"
"""The default experiment too: only its row tells whether it still has its name."""

_AS_OF = (
    "SELECT experiment, argMax(name, ver) AS named, argMax(deleted, ver) AS gone FROM experiment_history"
    f" WHERE namespace = {{namespace:String}} AND ver < {{control:UInt64}} GROUP BY experiment HAVING gone < {PURGED}"
    " ORDER BY experiment"
)


class Experiments:
    """Reads experiments: they are few, so all of a namespace at once."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._all: VersionedCache[str, list[experiment_pb2.Experiment]] = VersionedCache(warehouse, "experiments")
        self._named: VersionedCache[tuple[str, str], list[experiment_pb2.Experiment]] = VersionedCache(
            warehouse, "experiments"
        )

    def all(self, namespace: str) -> list[experiment_pb2.Experiment]:
        """Experiments by number."""
        statement = Statement(_ALL, {"namespace": namespace})
        return list(self._all.get(namespace, lambda: self._read(statement)))

    def _read(self, statement: Statement) -> list[experiment_pb2.Experiment]:
        answer = self._warehouse.select(statement)
        found = [
            experiment_pb2.Experiment(
                experiment_id=number,
                name=name,
                tags=json.loads(tags or "{}"),
                create_time_millis=created,
                update_time_millis=changed,
                deleted=bool(deleted),
                artifact_location=location,
            )
            for number, name, tags, created, changed, deleted, location in rows_of(answer, *_COLUMNS)
        ]
        return _with_default(found)

    def by_name(self, namespace: str, name: str) -> experiment_pb2.Experiment:
        """NotFound EXPERIMENT_NOT_FOUND."""
        named = Statement(_NAMED, {"namespace": namespace, "name": name})
        for experiment in self._named.get((namespace, name), lambda: self._read(named)):
            if experiment.name == name:
                return experiment
        raise not_found(name)

    def as_of(self, namespace: str, control: int) -> list[experiment_pb2.Experiment]:
        """Experiments as of a next offset of the control partition: number, name, and whether they are deleted."""
        statement = Statement(_AS_OF, {"namespace": namespace, "control": control})
        answer = self._warehouse.select(statement)
        found = [
            experiment_pb2.Experiment(experiment_id=number, name=name, deleted=bool(deleted))
            for number, name, deleted in rows_of(answer, "experiment", "named", "gone")
        ]
        return _with_default(found)

    def past(self, namespace: str, control: int) -> list[experiment_pb2.Experiment]:
        """As `as_of`, with what never changes: when each was made, and where its artifacts are."""
        now = {one.experiment_id: one for one in self.all(namespace)}
        found = self.as_of(namespace, control)
        for experiment in found:
            same = now.get(experiment.experiment_id)
            if same is not None:
                experiment.create_time_millis = same.create_time_millis
                experiment.artifact_location = same.artifact_location
        return found

    def by_number(self, namespace: str, number: int) -> experiment_pb2.Experiment:
        """NotFound EXPERIMENT_NOT_FOUND."""
        return one_of(self.all(namespace), number)


def one_of(experiments: Sequence[experiment_pb2.Experiment], which: str | int) -> experiment_pb2.Experiment:
    """The experiment of a name or a number. EXPERIMENT_NOT_FOUND."""
    for experiment in experiments:
        if which in (experiment.name, experiment.experiment_id):
            return experiment
    if isinstance(which, str):
        raise not_found(which)
    raise NotFound("EXPERIMENT_NOT_FOUND", f"there is no experiment {which} in this namespace")


def not_found(name: str) -> NotFound:
    """EXPERIMENT_NOT_FOUND."""
    return NotFound("EXPERIMENT_NOT_FOUND", f"there is no experiment {shown(name)} in this namespace")


def _with_default(found: list[experiment_pb2.Experiment]) -> list[experiment_pb2.Experiment]:
    default = experiment_pb2.Experiment(experiment_id=0, name=DEFAULT_NAME)
    return found if found and found[0].experiment_id == 0 else [default, *found]


def chosen(experiments: Sequence[experiment_pb2.Experiment], names: Sequence[str]) -> list[int]:
    """The numbers of those that are named; without names of all that are not deleted. EXPERIMENT_NOT_FOUND."""
    if not names:
        return [one.experiment_id for one in experiments if not one.deleted]
    numbers = {one.name: one.experiment_id for one in experiments}
    for name in names:
        if name not in numbers:
            raise not_found(name)
    return [numbers[name] for name in names]
