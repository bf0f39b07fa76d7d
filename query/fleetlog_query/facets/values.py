"""The values of one param, tag or attribute, the most frequent first: its own narrow range of the index; or its column,
where searches and selections hold it already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED, SUPERSEDED
from fleetlog_proto.v1 import facets_pb2

from fleetlog_query.column_cache.columns import Source
from fleetlog_query.column_cache.scope_columns import HeldColumns, shown_places
from fleetlog_query.language.fields import ATTRIBUTES, Kind, resolve
from fleetlog_query.language.plan import Plan
from fleetlog_query.language.values import Key
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope, attribute_text_sql, attrs_of
from fleetlog_query.warehouse.pattern_statement import PatternRead, cut_texts
from fleetlog_query.warehouse.rows import rows_of

_KINDS: dict[int, Kind] = {
    facets_pb2.KEY_KIND_PARAM: "params",
    facets_pb2.KEY_KIND_TAG: "tags",
    facets_pb2.KEY_KIND_ATTRIBUTE: "attributes",
}


@dataclass(frozen=True)
class ValuesQuery:
    """Values of one key of the runs of a scope: with a text in them, behind (runs, value), how many."""

    scope: Scope
    plan: Plan | None
    deleted_view: int
    kind: Kind
    key: str
    contains: str
    after: tuple[int, str] | None
    size: int


def kind_of(number: int, key: str) -> tuple[Kind, str]:
    """The kind and the key of a request. KEY_KIND_INVALID, KEY_UNKNOWN."""
    kind = _KINDS.get(number)
    if kind is None:
        what = "values are listed of a param, a tag or an attribute; metrics have numbers: ListKeys gives their range"
        raise InvalidArgument.of_field("KEY_KIND_INVALID", "kind", what)
    if not key:
        raise InvalidArgument.of_field("KEY_UNKNOWN", "key", "it is empty; name a key, such as lr")
    if kind != "attributes":
        return kind, key
    resolved = resolve("", key)
    if isinstance(resolved, str):
        raise InvalidArgument.of_field("KEY_UNKNOWN", "key", f"{shown(key)}: {resolved}; {', '.join(ATTRIBUTES)}")
    return resolved


_AMONG_DELETED = {
    DeletedView.ACTIVE: ("NOT IN", "> 0"),
    DeletedView.DELETED: ("IN", "= 1"),
    DeletedView.ALL: ("NOT IN", f">= {PURGED}"),
    DeletedView.SUPERSEDED: ("IN", f"= {SUPERSEDED}"),
}
"""Runs that a view shows, as whether they are among those whose `deleted` compares so."""


def values_statement(query: ValuesQuery) -> Statement:
    """The page and one row more, as `value` and `runs`, in order."""
    binds, scope, view = Binds(), query.scope, DeletedView.of(query.deleted_view)
    if query.kind == "attributes":
        text, present = attribute_text_sql(query.key)
        matching = f" AND {condition(query.plan, scope, binds)}" if query.plan is not None else ""
        shown_runs = f"{scope.sql(binds)}{view.sql}"
        every = f"SELECT {text} AS value FROM {scope.runs(binds)} WHERE {shown_runs} AND {present}"
        rows = every + matching
    else:
        every = f"SELECT str AS value {attrs_of(query.kind, query.key, scope, binds)}"
        rows = every + among_shown(scope, query.plan, view, binds)
    where = ""
    if query.contains:
        # As much work as a pattern of so many characters, for values in which it nearly is at each place.
        binds.patterns.append(PatternRead(len(query.contains), f"(SELECT max(length(value)) FROM ({every}))"))
        rows = cut_texts("text AS value", f"SELECT value AS t FROM ({rows})")
        where = f" WHERE positionCaseInsensitiveUTF8(value, {binds.text(query.contains)}) > 0"
    having = ""
    if query.after is not None:
        runs, value = binds.whole(query.after[0]), binds.text(query.after[1])
        having = f" HAVING runs < {runs} OR (runs = {runs} AND value > {value})"
    sql = f"SELECT value, count() AS runs FROM ({rows}){where} GROUP BY value{having}"
    return binds.statement(f"{sql} ORDER BY runs DESC, value LIMIT {query.size + 1}", wide=True)


def among_shown(scope: Scope, plan: Plan | None, view: DeletedView, binds: Binds) -> str:
    """Condition behind others that keeps rows of a key to the runs that match and that the view shows."""
    if plan is not None or scope.as_of is not None:
        ids = f"{scope.sql(binds)}{view.sql}"
        if plan is not None:
            ids += f" AND {condition(plan, scope, binds)}"
        return f" AND run_id IN (SELECT run_id FROM {scope.runs(binds)} WHERE {ids})"
    # Few runs are deleted: a set of those is small, whichever are asked for.
    inside, which = _AMONG_DELETED[view]
    return f" AND run_id {inside} (SELECT run_id FROM runs FINAL WHERE {scope.sql(binds)} AND deleted {which})"


class Values:
    """Pages of values. Thread-safe."""

    def __init__(self, warehouse: Warehouse, held: HeldColumns) -> None:
        self._warehouse = warehouse
        self._held = held

    def page(self, query: ValuesQuery) -> list[facets_pb2.ValueFacet]:
        """The page and one more. TimedOut."""
        column = Source(Key(query.kind, query.key), is_text=True)
        # What is held is of now.
        columns = self._held.peek(query.scope) if query.scope.as_of is None else None
        if query.plan is None and not query.contains and columns is not None and columns.holds(column):
            return self._counted(query)
        return facets_of(self._warehouse.select(values_statement(query)))

    def _counted(self, query: ValuesQuery) -> list[facets_pb2.ValueFacet]:
        select = self._warehouse.select
        with self._held.of(query.scope) as columns:
            shown = shown_places(columns.runs(select), query.deleted_view)
            labels = columns.texts(Key(query.kind, query.key), select)
        codes = labels.codes if shown is None else labels.codes[shown]
        counts = np.bincount(codes + 1, minlength=len(labels.texts) + 1)[1:].tolist()
        found = sorted((-runs, text) for text, runs in zip(labels.texts, counts, strict=True) if runs)
        if query.after is not None:
            found = [one for one in found if one > (-query.after[0], query.after[1])]
        return [facets_pb2.ValueFacet(value=text, runs=-runs) for runs, text in found[: query.size + 1]]


def facets_of(answer: Answer) -> list[facets_pb2.ValueFacet]:
    """The rows of a page."""
    return [facets_pb2.ValueFacet(value=value, runs=runs) for value, runs in rows_of(answer, "value", "runs")]
