"""Where a search looks, and what the rows there hold."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_proto.v1 import scope_pb2

from fleetlog_query.binds import Binds
from fleetlog_query.filter.fields import ATTRIBUTES, KIND_NUMBERS, STATES, Kind

_NO_PARENT = "toFixedString('', 16)"
_ATTRIBUTE_SQL = {
    "run_id": "lower(hex(run_id))",
    "name": "name",
    "user": "toString(user)",
    "state": "toFloat64(state)",
    "start_time": "toFloat64(toUnixTimestamp64Milli(start_time))",
    "end_time": "toFloat64(toUnixTimestamp64Milli(end_time))",
    "experiment_id": "toFloat64(experiment)",
    "parent_run_id": "lower(hex(parent_run_id))",
}
STATE_NAME_SQL = (
    f"transform(state, [{', '.join(str(one) for one in STATES.values())}], [{', '.join(map(repr, STATES))}], '')"
)
_ATTRIBUTE_TEXT = {
    "state": STATE_NAME_SQL, "start_time": "toString(start_time)", "end_time": "toString(end_time)",
    "experiment_id": "toString(experiment)",
}  # fmt: skip
_SHOWN: dict[int, str] = {scope_pb2.DELETED_VIEW_DELETED: " AND deleted = 1", scope_pb2.DELETED_VIEW_ALL: ""}
_PRESENT = {"end_time": "toUnixTimestamp64Milli(end_time) != 0", "parent_run_id": f"parent_run_id != {_NO_PARENT}"}


@dataclass(frozen=True)
class Scope:
    """Where a search looks: one namespace, some experiments; ids from `since` on, before `until`, or only `run_ids`."""

    namespace: str
    experiments: tuple[int, ...]
    since: bytes = b""
    until: bytes = b""
    run_ids: tuple[bytes, ...] = ()

    def sql(self, binds: Binds) -> str:
        """As a condition."""
        clauses = [f"namespace = {binds.text(self.namespace)} AND experiment IN {binds.numbers(self.experiments)}"]
        if self.since:
            clauses.append(f"run_id >= {binds.run_id(self.since)}")
        if self.until:
            clauses.append(f"run_id < {binds.run_id(self.until)}")
        if self.run_ids:
            clauses.append(f"run_id IN {binds.run_ids(self.run_ids)}")
        return " AND ".join(clauses)


def attrs_of(kind: Kind, key: str, scope: Scope, binds: Binds) -> str:
    """The rows of one key, latest each: FROM and WHERE."""
    return (
        f"FROM attrs FINAL WHERE {scope.sql(binds)} AND kind = {KIND_NUMBERS[kind]} AND key = {binds.text(key)}"
        " AND removed = 0"
    )


def attribute_sql(key: str) -> tuple[str, str, bool]:
    """An attribute over rows of `runs`: its expression, the condition that it is there, and whether it is a number."""
    numeric = ATTRIBUTES[key] in ("time", "number", "state")
    return _ATTRIBUTE_SQL[key], _PRESENT.get(key, "1"), numeric


def attribute_text_sql(key: str) -> tuple[str, str]:
    """An attribute as text over rows of `runs`, and the condition that it is there. Times are such as filters take."""
    sql, present, _ = attribute_sql(key)
    return _ATTRIBUTE_TEXT.get(key, sql), present


def shown_sql(deleted_view: int) -> str:
    """What a DeletedView adds to a condition on rows of `runs`."""
    return _SHOWN.get(deleted_view, " AND deleted = 0")
