"""The plan over rows in Python: what the compiled statement must answer. Pure; the tests hold the two together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetlog_query.filter.plan import AllOf, AnyOf, Leaf, Plan, is_nan


@dataclass(frozen=True)
class Row:
    """One run. Params are (number or NaN, text, type as in attrs); attributes that a run lacks are None."""

    attributes: Mapping[str, float | str | None]
    params: Mapping[str, tuple[float, str, int]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def matches(plan: Plan | None, row: Row) -> bool:
    """Whether the run is found."""
    if plan is None:
        return True
    if isinstance(plan, AllOf):
        return all(matches(part, row) for part in plan.parts)
    if isinstance(plan, AnyOf):
        return any(matches(part, row) for part in plan.parts)
    return _leaf(plan, row)


def _leaf(leaf: Leaf, row: Row) -> bool:
    value = _value(leaf, row)
    if leaf.operator == "null":
        present = leaf.key in row.params if leaf.kind == "params" else value is not None
        return present if leaf.negated else not present
    if value is None:
        return False
    return _compare(leaf, value) != leaf.negated


def _value(leaf: Leaf, row: Row) -> float | str | None:
    if leaf.kind == "metrics":
        return row.metrics.get(leaf.key)
    if leaf.kind == "tags":
        return row.tags.get(leaf.key)
    if leaf.kind == "attributes":
        return row.attributes.get(leaf.key)
    param = row.params.get(leaf.key)
    if param is None:
        return None
    number, text, type_ = param
    if not leaf.numeric:
        return text
    # A text that is no number can't be compared with one: unknown. A real NaN can.
    return None if math.isnan(number) and type_ != 4 else number


def _compare(leaf: Leaf, value: float | str) -> bool:
    if leaf.operator == "in":
        return any(_equal(value, wanted) for wanted in leaf.values)
    if leaf.operator == "between":
        low, high = leaf.values
        return _below(low, value) and _below(value, high)
    wanted = leaf.values[0]
    if leaf.operator == "=":
        return _equal(value, wanted)
    if leaf.operator == "!=":
        return not _equal(value, wanted)
    if leaf.operator in ("like", "ilike"):
        return pattern(str(wanted), leaf.operator == "ilike").fullmatch(str(value)) is not None
    if leaf.operator == "<=":
        return _below(value, wanted)
    if leaf.operator == ">=":
        return _below(wanted, value)
    if leaf.operator == "<":
        return _below(value, wanted) and value != wanted
    return _below(wanted, value) and value != wanted


def _equal(value: float | str, wanted: float | str) -> bool:
    return is_nan(value) if is_nan(wanted) else value == wanted


def _below(one: float | str, other: float | str) -> bool:
    """One ≤ other, texts by their UTF-8 bytes."""
    if isinstance(one, str) and isinstance(other, str):
        return one.encode("utf-8", "surrogateescape") <= other.encode("utf-8", "surrogateescape")
    return float(one) <= float(other)


def pattern(like: str, ignore_case: bool) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression: % is any text, _ any character, a backslash takes its next literally."""
    parts = []
    characters = iter(like)
    for character in characters:
        if character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        elif character == "\\":
            following = next(characters, "\\")
            # A backslash before anything but %, _ and itself stands for itself, as in ClickHouse.
            parts.append(re.escape(following if following in "%_\\" else "\\" + following))
        else:
            parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))
