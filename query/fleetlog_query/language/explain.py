"""A plan in words, and what it will read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetlog_core import limits

from fleetlog_query.language.conditions import AllOf, Leaf, Plan, leaves, reads
from fleetlog_query.language.fields import ATTRIBUTES, STATES
from fleetlog_query.language.moments import shown_moment
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import Key, Series, Value, name_of

_TABLES = {
    "runs": "attributes of runs",
    "attrs": "the latest value of each param, tag and metric, and datasets",
    "series": "what is known of each metric over all its points",
    "rollup": "metrics in buckets of 128 steps",
    "run_history": "runs as they were",
    "tag_history": "tags as they were",
    "points": f"the points themselves, {limits.FILTER_POINTS:,} at most",
}
_STATE_NAMES = {float(number): name for name, number in STATES.items()}
_VALUES_SHOWN = 5


PAGES = "later pages: as of the first one; runs that changed since are looked up as they were"


def explain(plan: Plan | None, keys: Sequence[OrderKey] = (), *, past: bool = False) -> list[str]:
    """Lines: the conditions, indented as they are joined, and the order; a line for each table that is read and why.

    `past`: of a search as of a position.
    """
    said = ["every run"] if plan is None else list(_lines(plan, ""))
    said += [f"{'then' if place else 'ordered'} by {key}" for place, key in enumerate(keys)]
    return [*said, *(f"reads {table}: {_TABLES[table]}" for table in tables(plan, keys, past=past))]


def tables(plan: Plan | None, keys: Sequence[OrderKey] = (), *, past: bool = False) -> list[str]:
    """The tables that a search reads."""
    found = {"runs", "run_history"} if past else {"runs"}
    sources = [source for leaf in leaves(plan) for source in reads(leaf)]
    for source in [*sources, *(source for key in keys for source in key.sources)]:
        found |= _tables_of(source)
        if past:
            found |= _past_tables_of(source)
            # A bucket does not tell its points before the position from those behind it.
            found -= {"rollup"}
    return [table for table in _TABLES if table in found]


def _tables_of(source: Key | Series) -> set[str]:
    if isinstance(source, Key):
        return {"runs"} if source.kind == "attributes" else {"attrs"}
    if source.window is None:
        return {"series"}
    bucketed = source.function not in ("first", "last") and source.window.split()[0] is not None
    return {"series"} | ({"rollup"} if bucketed else set()) | ({"points"} if source.reads_points else set())


def _past_tables_of(source: Key | Series) -> set[str]:
    """Tables that tell the past of what was written over since."""
    kind = source.kind if isinstance(source, Key) else "metrics"
    return {"metrics": {"series", "points"}, "tags": {"tag_history"}}.get(kind, set())


def _lines(plan: Plan, indent: str) -> Iterator[str]:
    if isinstance(plan, Leaf):
        yield indent + _said(plan)
        return
    yield f"{indent}{'all of' if isinstance(plan, AllOf) else 'any of'}:"
    for part in plan.parts:
        yield from _lines(part, indent + "  ")


def _said(leaf: Leaf) -> str:
    name = name_of(leaf.value)
    if leaf.operator == "null":
        return f"{name} is {'there' if leaf.negated else 'missing'}"
    values = [_value(leaf, value) for value in leaf.values]
    if leaf.operator == "between":
        compared = f"{name} BETWEEN {values[0]} AND {values[1]}"
    elif leaf.operator == "in":
        more = len(values) - _VALUES_SHOWN
        shown = values if more <= 1 else [*values[:_VALUES_SHOWN], f"… {more:,} more"]
        compared = f"{name} IN ({', '.join(shown)})"
    else:
        compared = f"{name} {leaf.operator.upper()} {values[0]}"
    return f"NOT {compared}" if leaf.negated else compared


def _value(leaf: Leaf, value: Value | str) -> str:
    if isinstance(leaf.value, Key) and leaf.value.kind == "attributes" and isinstance(value, float):
        if leaf.value.key == "state":
            return _STATE_NAMES.get(value, "none")
        if ATTRIBUTES[leaf.value.key] == "time":
            return shown_moment(value)
    return name_of(value)
