"""What a plan is made of: typed conditions, joined by all and any. NOT is pushed down to them.

A condition on a key that a run does not have is unknown, and so is its opposite: neither matches. With NOT at the
leaves AND and OR need no third value: a leaf is true or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fleetlog_query.language.tree import Operator
from fleetlog_query.language.values import Computed, Key, Series, Value, Whole, read_by

TRUTHS = ("True", "False")
"""Truths as MLflow writes them; the texts of such params are in lower case."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One typed condition. `numeric`: numbers are compared, not texts.

    `values` are what `value` is compared with: constants, but for `= != < <= > >=` also what else a run has.
    `negated`: matches where everything is there (and is a number, when numeric) and the condition is false.
    """

    value: Value
    operator: Operator
    values: tuple[Value | str, ...]
    numeric: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of them."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Any of them."""

    parts: tuple[Plan, ...]


Plan = Leaf | AllOf | AnyOf


def leaves(plan: Plan | None) -> Iterator[Leaf]:
    """Every condition, from left to right."""
    if isinstance(plan, Leaf):
        yield plan
    elif plan is not None:
        for part in plan.parts:
            yield from leaves(part)


def reads(leaf: Leaf) -> list[Key | Series]:
    """Values that a condition compares, each once."""
    sides = (leaf.value, *leaf.values) if leaf.numeric else (leaf.value,)
    return list(dict.fromkeys(source for side in sides for source in read_by(side)))


def windows(plan: Plan | None) -> list[Series]:
    """The functions that are over some points only, each once."""
    found = [one for leaf in leaves(plan) for one in reads(leaf) if isinstance(one, Series) and one.window is not None]
    return list(dict.fromkeys(found))


def is_simple(leaf: Leaf) -> bool:
    """True if it compares an attribute or a latest value with constants."""
    return isinstance(leaf.value, Key) and not any(isinstance(one, Key | Series | Computed) for one in leaf.values)


def is_exact(leaf: Leaf) -> bool:
    """True if params are compared with whole numbers that doubles don't tell apart."""
    is_param = isinstance(leaf.value, Key) and leaf.value.kind == "params"
    return is_param and is_simple(leaf) and any(isinstance(value, Whole) for value in leaf.values)


def truths_of(leaf: Leaf) -> list[str]:
    """The texts of truths that params are compared with as MLflow writes them."""
    if leaf.numeric or leaf.operator not in ("=", "!=", "in"):
        return []
    is_param = isinstance(leaf.value, Key) and leaf.value.kind == "params"
    return [str(value).lower() for value in leaf.values if is_param and value in TRUTHS]


def reads_points(plan: Plan | None) -> bool:
    """True if points are read, rather than what is kept about them."""
    return any(one.reads_points for one in windows(plan))


def is_nan(value: Value | str) -> bool:
    """True if a constant is NaN, which = and != treat as a value."""
    return isinstance(value, float) and math.isnan(value)
