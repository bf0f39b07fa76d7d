"""Activity of experiments: how many runs each has, how many are running, and when the last ones started and ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_proto.v1 import event_pb2, query_pb2

from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.rows import rows_of
from fleetlog_query.warehouse.versioned_cache import VersionedCache

NONE = query_pb2.ExperimentActivity()
Activities = Mapping[int, query_pb2.ExperimentActivity]
"""Activity by the number of the experiment; those without runs are left out."""


@dataclass(frozen=True)
class Ordered:
    """Order of experiments, with the place of each in it as JSON."""

    order: int
    activities: Activities

    def place(self, number: int, name: str) -> list[Any]:
        """Place of an experiment: of two the lower one comes first."""
        if self.order == query_pb2.EXPERIMENT_ORDER_NAME:
            return [name, number]
        if self.order == query_pb2.EXPERIMENT_ORDER_LAST_START:
            return [-self.activities.get(number, NONE).last_start_time_millis, number]
        return [number]


class Activity:
    """Counts runs by experiment. Thread-safe."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._held: VersionedCache[str, Activities] = VersionedCache(warehouse, "runs")

    def of(self, namespace: str, experiments: Sequence[int], as_of: AsOf | None) -> Activities:
        """Activity of some experiments, as of a position; as it is now, of all experiments of the namespace."""
        if as_of is None:
            return self._held.get(namespace, lambda: self._read(_now(namespace)))
        return self._read(_past(Scope(namespace, tuple(experiments), as_of=as_of)))

    def _read(self, statement: Statement) -> Activities:
        return _activities(self._warehouse.select(statement))


_COUNTED = (
    f"experiment, count() AS runs, countIf(state = {event_pb2.RUN_STATE_RUNNING}) AS running,"
    " max(toUnixTimestamp64Milli(start_time)) AS started, max(toUnixTimestamp64Milli(end_time)) AS ended"
)


def _now(namespace: str) -> Statement:
    binds = Binds()
    where = f"namespace = {binds.text(namespace)}{DeletedView.ACTIVE.sql}"
    return binds.statement(f"SELECT {_COUNTED} FROM runs FINAL WHERE {where} GROUP BY experiment", wide=True)


def _past(scope: Scope) -> Statement:
    binds = Binds()
    where = f"{scope.sql(binds)}{DeletedView.ACTIVE.sql}"
    return binds.statement(f"SELECT {_COUNTED} FROM {scope.runs(binds)} WHERE {where} GROUP BY experiment", wide=True)


def _activities(answer: Answer) -> Activities:
    return {
        number: query_pb2.ExperimentActivity(
            runs=runs, running_runs=running, last_start_time_millis=started, last_end_time_millis=ended
        )
        for number, runs, running, started, ended in rows_of(
            answer, "experiment", "runs", "running", "started", "ended"
        )
    }
