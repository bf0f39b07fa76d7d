"""Plan → SQL. One narrow range of `attrs` for each condition; conditions meet as sets of run ids."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_query.binds import Binds
from fleetlog_query.filter.fields import ATTRIBUTES, KIND_NUMBERS, Kind
from fleetlog_query.filter.plan import AllOf, Leaf, Plan, is_nan

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


def condition(plan: Plan, scope: Scope, binds: Binds) -> str:
    """A plan as a condition on rows of `runs`."""
    if isinstance(plan, Leaf):
        return _leaf(plan, scope, binds)
    joiner = " AND " if isinstance(plan, AllOf) else " OR "
    return "(" + joiner.join(condition(part, scope, binds) for part in plan.parts) + ")"


def _leaf(leaf: Leaf, scope: Scope, binds: Binds) -> str:
    if leaf.kind == "attributes":
        return _attribute(leaf, binds)
    rows = attrs_of(leaf.kind, leaf.key, scope, binds)
    if leaf.operator == "null":
        return f"run_id {'IN' if leaf.negated else 'NOT IN'} (SELECT run_id {rows})"
    column = "num" if leaf.numeric else "str"
    compared = _compared(leaf, column, binds)
    if leaf.kind == "params" and leaf.numeric:
        compared = f"({compared}) AND (NOT isNaN(num) OR type = 4)"
    return f"run_id IN (SELECT run_id {rows} AND {compared})"


def _attribute(leaf: Leaf, binds: Binds) -> str:
    present = _PRESENT.get(leaf.key, "1")
    if leaf.operator == "null":
        return f"({present})" if leaf.negated else f"NOT ({present})"
    return f"({present} AND {_compared(leaf, _ATTRIBUTE_SQL[leaf.key], binds)})"


def _compared(leaf: Leaf, column: str, binds: Binds) -> str:
    text = _positive(leaf, column, binds)
    return f"NOT ({text})" if leaf.negated else f"({text})"


def _positive(leaf: Leaf, column: str, binds: Binds) -> str:
    values = leaf.values
    if leaf.operator == "in":
        if not leaf.numeric:
            return f"{column} IN {binds.texts([str(value) for value in values])}"
        # Not a set: sets compare bits, and -0.0 is 0.0.
        return " OR ".join(_equal(column, float(value), binds) for value in values)
    if leaf.operator == "between":
        return f"{column} >= {_bind(leaf, 0, binds)} AND {column} <= {_bind(leaf, 1, binds)}"
    if leaf.operator == "like":
        return f"{column} LIKE {binds.text(str(values[0]))}"
    if leaf.operator == "ilike":
        return f"{column} ILIKE {binds.text(str(values[0]))}"
    if leaf.numeric and leaf.operator in ("=", "!="):
        equal = _equal(column, float(values[0]), binds)
        return equal if leaf.operator == "=" else f"NOT ({equal})"
    return f"{column} {leaf.operator} {_bind(leaf, 0, binds)}"


def _equal(column: str, value: float, binds: Binds) -> str:
    return f"isNaN({column})" if is_nan(value) else f"{column} = {binds.number(value)}"


def _bind(leaf: Leaf, place: int, binds: Binds) -> str:
    value = leaf.values[place]
    return binds.number(float(value)) if leaf.numeric else binds.text(str(value))


def attribute_sql(key: str) -> tuple[str, str, bool]:
    """An attribute for ordering: its expression, the condition that it is there, and whether it is a number."""
    numeric = ATTRIBUTES[key] in ("time", "number", "state")
    return _ATTRIBUTE_SQL[key], _PRESENT.get(key, "1"), numeric
