"""The registry of a namespace as it was before an offset of the control partition, or as it is.

A row of a current table that no later record changed tells its state; what was changed since is told by
`registry_history`, which keeps every state and is written first in each batch. So a batch that broke off in the middle
is seen as if none of it were there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fleetlog_proto.v1 import model_approval_pb2, model_version_pb2, registered_model_pb2

from fleetlog_core.registry.states import Kind, approval_of, model_of, version_of
from fleetlog_core.warehouse.port import Answer, Bind, Statement

Select = Callable[[Statement], Answer]
"""Runs a statement, with the deadline of the read."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A current table: the column of its number, and the columns beside the state, as the state's JSON tells them."""

    name: str
    kind: Kind
    number: str
    columns: Mapping[str, str]


_DELETED = "toUInt8(JSONExtractBool(state, 'deleted'))"
_TABLES = {
    Kind.MODEL: _Table(
        "registered_models",
        Kind.MODEL,
        "toUInt64(0)",
        {"name": "JSONExtractString(state, 'name')", "deleted": _DELETED},
    ),
    Kind.VERSION: _Table(
        "model_versions",
        Kind.VERSION,
        "version",
        {
            "stage": "toUInt8(JSONExtractUInt(state, 'stage'))",
            "run_id": "JSONExtractString(state, 'lineage', 'run_id')",
            "deleted": _DELETED,
        },
    ),
    Kind.APPROVAL: _Table(
        "model_approvals", Kind.APPROVAL, "number", {"decision": "toUInt8(JSONExtractUInt(state, 'state'))"}
    ),
}


class Snapshot:
    """Reads of one namespace. `before`: the control partition's next offset that it is as of; None = now."""

    def __init__(self, select: Select, namespace: str, before: int | None = None) -> None:
        self._select = select
        self._namespace = namespace
        self._before = before

    def select(
        self,
        kind: Kind,
        where: str,
        binds: Mapping[str, Bind],
        *,
        columns: str = "state",
        model_ids: Collection[int] | None = None,
    ) -> Answer:
        """Rows of a kind; `where` is the rest of a statement behind WHERE, over the table's columns, `model_id`,
        `number`, `ver` and `state`. `model_ids`: only of these models.
        """
        bound: dict[str, Bind] = {**binds, "namespace": self._namespace}
        within = ""
        if model_ids is not None:
            bound["models"] = sorted(model_ids)
            within = " AND model_id IN (SELECT arrayJoin({models:Array(UInt64)}))"
        if self._before is not None:
            bound["before"] = self._before
        source = self._source(_TABLES[kind], within)
        return self._select(Statement(f"SELECT {columns} FROM ({source}) WHERE {where}", bound))

    def active_models(self) -> str:
        """A subselect of the ids of models that are not deleted, for the `where` of `select`."""
        return f"(SELECT model_id FROM ({self._source(_TABLES[Kind.MODEL], '')}) WHERE deleted = 0)"

    def named(self, names: Collection[str]) -> dict[str, registered_model_pb2.RegisteredModel]:
        """Models by name, as far as they are there."""
        if not names:
            return {}
        found = self.select(Kind.MODEL, "deleted = 0 AND has({names:Array(String)}, name)", {"names": sorted(names)})
        return {model.name: model for model in map(model_of, found.texts("state"))}

    def models(self, model_ids: Collection[int]) -> dict[int, registered_model_pb2.RegisteredModel]:
        """Models by id, deleted ones too."""
        if not model_ids:
            return {}
        found = self.select(Kind.MODEL, "1", {}, model_ids=model_ids)
        return {model.model_id: model for model in map(model_of, found.texts("state"))}

    def versions(
        self, model_ids: Collection[int], numbers: Collection[int], stages: Collection[int] = ()
    ) -> list[model_version_pb2.ModelVersion]:
        """Versions of these models that have one of the numbers, or are in one of the stages; deleted ones too."""
        if not model_ids or not (numbers or stages):
            return []
        found = self.select(
            Kind.VERSION,
            "number IN (SELECT arrayJoin({numbers:Array(UInt64)}))"
            " OR (deleted = 0 AND has({stages:Array(UInt64)}, stage))",
            {"numbers": sorted(numbers), "stages": sorted(stages)},
            model_ids=model_ids,
        )
        return [version_of(text) for text in found.texts("state")]

    def latest(self, model_ids: Collection[int]) -> list[model_version_pb2.ModelVersion]:
        """The version with the highest number of each stage, by model and stage."""
        if not model_ids:
            return []
        found = self.select(
            Kind.VERSION,
            "deleted = 0 GROUP BY model_id, stage ORDER BY model_id, stage",
            {},
            columns="model_id, stage, argMax(state, number) AS state",
            model_ids=model_ids,
        )
        return [version_of(text) for text in found.texts("state")]

    def approvals(self, model_ids: Collection[int], numbers: Collection[int]) -> list[model_approval_pb2.Approval]:
        """Approvals of these models that have one of the numbers."""
        if not model_ids or not numbers:
            return []
        found = self.select(
            Kind.APPROVAL,
            "number IN (SELECT arrayJoin({numbers:Array(UInt64)}))",
            {"numbers": sorted(numbers)},
            model_ids=model_ids,
        )
        return [approval_of(text) for text in found.texts("state")]

    def _source(self, table: _Table, within: str) -> str:
        names = ", ".join(table.columns)
        rows = f"FROM {table.name} FINAL WHERE namespace = {{namespace:String}}{within}"
        now = f"SELECT model_id, {table.number} AS number, {names}, ver, state {rows}"
        if self._before is None:
            return now
        told = ", ".join(f"{told} AS {name}" for name, told in table.columns.items())
        then = (
            f"SELECT model_id, number, {told}, last AS ver, state FROM ("
            "SELECT model_id, number, max(ver) AS last, argMax(state, (ver, place)) AS state FROM ("
            "SELECT model_id, number, ver, place, state FROM registry_history"
            f" WHERE namespace = {{namespace:String}}{within} AND kind = {int(table.kind)} AND ver < {{before:UInt64}}"
            " AND state != '') WHERE (model_id, number) IN"
            f" (SELECT model_id, {table.number} AS number {rows} AND ver >= {{before:UInt64}})"
            " GROUP BY model_id, number)"
        )
        return f"{now} AND ver < {{before:UInt64}} UNION ALL {then}"


@dataclass(frozen=True, slots=True)
class DecidedStates:
    """What one intent left: its time in Unix milliseconds, and the states that it changed, as texts."""

    time_millis: int
    states: Mapping[tuple[Kind, int], str]
    """By kind, and number of the version or approval; 0 for the model."""


def states_at(select: Select, namespace: str, model_id: int, ver: int) -> DecidedStates:
    """What the intent at an offset of the control partition left of a model; nothing where it changed nothing."""
    sql = (
        "SELECT kind, number, state, toUnixTimestamp64Milli(time) AS at FROM registry_history"
        " WHERE namespace = {namespace:String} AND model_id = {model:UInt64} AND ver = {ver:UInt64}"
    )
    found = select(Statement(sql, {"namespace": namespace, "model": model_id, "ver": ver}))
    rows = zip(found.array("kind").tolist(), found.array("number").tolist(), found.texts("state"), strict=True)
    states = {(Kind(kind), number): state for kind, number, state in rows if state}
    return DecidedStates(int(found.array("at")[0]) if found.rows else 0, states)
