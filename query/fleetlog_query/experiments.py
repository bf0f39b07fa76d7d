"""Experiments of a namespace. "Default" (0) is always there, whether or not anybody wrote it."""

from __future__ import annotations

import json

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import NotFound, shown
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import experiment_pb2, scope_pb2

from fleetlog_query.kept import Kept

DEFAULT_NAME = "Default"
_SELECT = """
SELECT experiment, name, tags, toUnixTimestamp64Milli(create_time) AS created,
    toUnixTimestamp64Milli(update_time) AS changed, deleted
FROM experiments FINAL WHERE namespace = {namespace:String}"""
_ALL = f"{_SELECT} ORDER BY experiment"
_NAMED = f"{_SELECT} AND (name = {{name:String}} OR experiment = 0) ORDER BY experiment"
"""The default experiment too: only its row tells whether it still has its name."""


class Experiments:
    """Reads experiments: they are few, so all of a namespace at once."""

    def __init__(self, warehouse: Warehouse, applied: AppliedWatch | None = None) -> None:
        self._warehouse = warehouse
        self._all: Kept[str, list[experiment_pb2.Experiment]] = Kept(applied)
        self._named: Kept[tuple[str, str], list[experiment_pb2.Experiment]] = Kept(applied)

    def all(self, namespace: str, timeout_seconds: float) -> list[experiment_pb2.Experiment]:
        """By number."""
        statement = Statement(_ALL, {"namespace": namespace})
        return list(self._all.get(namespace, lambda: self._read(statement, timeout_seconds)))

    def _read(self, statement: Statement, timeout_seconds: float) -> list[experiment_pb2.Experiment]:
        answer = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        found = [
            experiment_pb2.Experiment(
                experiment_id=number,
                name=name,
                tags=json.loads(tags or "{}"),
                create_time_millis=created,
                update_time_millis=changed,
                deleted=bool(deleted),
            )
            for number, created, changed, deleted, name, tags in zip(
                answer.array("experiment").tolist(), answer.array("created").tolist(),
                answer.array("changed").tolist(), answer.array("deleted").tolist(),
                answer.texts("name"), answer.texts("tags"), strict=True,
            )
        ]  # fmt: skip
        if not found or found[0].experiment_id != 0:
            found.insert(0, experiment_pb2.Experiment(experiment_id=0, name=DEFAULT_NAME))
        return found

    def by_name(self, namespace: str, name: str, timeout_seconds: float) -> experiment_pb2.Experiment:
        """NotFound EXPERIMENT_NOT_FOUND."""
        named = Statement(_NAMED, {"namespace": namespace, "name": name})
        for experiment in self._named.get((namespace, name), lambda: self._read(named, timeout_seconds)):
            if experiment.name == name:
                return experiment
        raise NotFound("EXPERIMENT_NOT_FOUND", f"there is no experiment {shown(name)} in this namespace")

    def by_number(self, namespace: str, number: int, timeout_seconds: float) -> experiment_pb2.Experiment:
        """NotFound EXPERIMENT_NOT_FOUND."""
        for experiment in self.all(namespace, timeout_seconds):
            if experiment.experiment_id == number:
                return experiment
        raise NotFound("EXPERIMENT_NOT_FOUND", f"there is no experiment {number} in this namespace")


def shown_in(experiment: experiment_pb2.Experiment, view: int) -> bool:
    """Whether a DeletedView shows it."""
    if view == scope_pb2.DELETED_VIEW_ALL:
        return True
    return experiment.deleted == (view == scope_pb2.DELETED_VIEW_DELETED)
