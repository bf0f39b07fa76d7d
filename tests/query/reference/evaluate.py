"""The plan over rows in Python: what the compiled statement must answer. Pure; the tests hold the two together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleetlog_core.warehouse.schema import ParamType
from fleetlog_query.language.conditions import AllOf, AnyOf, Leaf, Plan, is_exact, is_nan
from fleetlog_query.language.fields import STATES
from fleetlog_query.language.texts import ordered, text_holds
from fleetlog_query.language.values import EXACT, Computed, Key, Series, Value, Whole, Window, combine

_STATE_NAMES = {float(number): name for name, number in STATES.items()}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a metric. Time is Unix milliseconds; rank -1: its writer has none."""

    step: int
    time: int
    value: float
    rank: int = -1


@dataclass(frozen=True)
class Row:
    """One run. Params are (number or NaN, text, type as in attrs); attributes that a run lacks are None.

    `metrics` are latest values, `points` all of them: only functions look there. `datasets` have a text for each of
    name, digest and context.
    """

    attributes: Mapping[str, float | str | None]
    params: Mapping[str, tuple[float, str, int]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    points: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, str]] = ()


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
    if isinstance(leaf.value, Key) and leaf.value.kind == "datasets":
        return _datasets(leaf, [one[leaf.value.key] for one in row.datasets if one[leaf.value.key]])
    if leaf.operator == "null":
        return _present(leaf.value, row) is leaf.negated
    if not leaf.numeric:
        text = text_of(leaf.value, row)
        truth = (
            isinstance(leaf.value, Key) and leaf.value.kind == "params" and _type_of(leaf.value, row) == ParamType.TRUTH
        )
        return text is not None and text_holds(leaf, text, truth=truth) != leaf.negated
    value = _exact_of(leaf.value, row) if is_exact(leaf) and isinstance(leaf.value, Key) else number_of(leaf.value, row)
    others = [number_of(other, row) for other in leaf.values if not isinstance(other, str)]
    if value is None:
        return False
    known = [other for other in others if other is not None]
    return len(known) == len(others) and _numbers(leaf, value, known) != leaf.negated


def _type_of(key: Key, row: Row) -> int:
    return row.params[key.key][2] if key.key in row.params else 0


def _exact_of(key: Key, row: Row) -> float | None:
    """The number of a param; a whole one exactly."""
    number = number_of(key, row)
    if number is None or _type_of(key, row) != ParamType.WHOLE or abs(number) < EXACT:
        return number
    return Whole.of(int(row.params[key.key][1]))


def _datasets(leaf: Leaf, texts: list[str]) -> bool:
    """One of the datasets is enough, whatever the others are."""
    if leaf.operator == "null":
        return bool(texts) is leaf.negated
    return any(text_holds(leaf, text) != leaf.negated for text in texts)


def _present(value: Value, row: Row) -> bool:
    if isinstance(value, Key) and value.kind == "params":
        return value.key in row.params
    if isinstance(value, Key) and value.kind in ("tags", "attributes"):
        return text_of(value, row) is not None
    return number_of(value, row) is not None


def text_of(value: Value, row: Row) -> str | None:
    """The text of a key; None when the run lacks it."""
    if not isinstance(value, Key):
        return None
    if value.kind == "params":
        return row.params[value.key][1] if value.key in row.params else None
    if value.kind == "tags":
        return row.tags.get(value.key)
    found = row.attributes.get(value.key)
    if value.key == "state" and isinstance(found, float):
        return _STATE_NAMES.get(found, "")
    return found if found is None else str(found)


def number_of(value: Value, row: Row) -> float | None:
    """The number; None when the run lacks it, or has a text there that is none."""
    if isinstance(value, float):
        return value
    if isinstance(value, Series):
        return _reduced(value, row)
    if isinstance(value, Computed):
        left, right = number_of(value.left, row), number_of(value.right, row)
        return None if left is None or right is None else combine(value.sign, left, right)
    if value.kind == "metrics":
        return row.metrics.get(value.key)
    if value.kind == "attributes":
        found = row.attributes.get(value.key)
        return found if isinstance(found, float) else None
    number, _, type_ = row.params.get(value.key, (math.nan, "", 0))
    # A text that is no number can't be compared with one: unknown. A real NaN can.
    return None if math.isnan(number) and type_ != ParamType.REAL else number


def _reduced(series: Series, row: Row) -> float | None:
    every = row.points.get(series.key, ())
    points = [point for point in every if series.window is None or _is_in(point, series.window)]
    if series.function == "count":
        return float(len(points)) if every else None
    if not points:
        return None
    if series.function == "first":
        return min(points, key=_order).value
    if series.function == "last":
        return max(points, key=_order).value
    numbers = [point.value for point in points if not math.isnan(point.value)]
    if not numbers:
        return math.nan
    if series.function == "mean":
        return sum(numbers) / len(numbers)
    # + 0.0: one zero of two, which have no order.
    return (min(numbers) if series.function == "min" else max(numbers)) + 0.0


def _is_in(point: Point, window: Window) -> bool:
    ranges = ((point.step, window.steps), (point.time, window.times), (point.rank, window.ranks))
    return all(low <= number <= high for number, (low, high) in ranges)


def _order(point: Point) -> tuple[int, int, bool, float, float]:
    """By step, time and value; NaN is the lowest, -0.0 below 0.0."""
    number = not math.isnan(point.value)
    return point.step, point.time, number, point.value if number else 0.0, math.copysign(1.0, point.value) * number


def _numbers(leaf: Leaf, value: float, others: list[float]) -> bool:
    match leaf.operator:
        case "in":
            return any(_equal(value, wanted, constant=True) for wanted in others)
        case "between":
            return others[0] <= value <= others[1]
        case "=" | "!=":
            equal = _equal(value, others[0], constant=is_nan(leaf.values[0]))
            return equal == (leaf.operator == "=")
        case _:
            return ordered(leaf.operator, value, others[0])


def _equal(value: float, wanted: float, *, constant: bool) -> bool:
    """NaN that is written asks for NaN; NaN that comes out of a run equals nothing."""
    return math.isnan(value) if constant and math.isnan(wanted) else value == wanted
