"""Whether a plan holds for one run: the meaning of the language, in plain Python. SQL is held against this."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetlog_query.filter import patterns
from fleetlog_query.filter.fields import STATES, Attribute, Key, Kind, Name
from fleetlog_query.filter.plan import And, Compare, Like, Not, OneOf, Or, Plan, Present, Target, Test, Within, is_nan

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class ParamValue:
    """A param: its canonical text, and the number it is; None when it is none. NaN is a number here."""

    text: str
    number: float | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as filters see it. Times are Unix milliseconds; `state` is a fleetlog.v1.RunState."""

    run_id: bytes
    experiment: int = 0
    name: str = ""
    user: str = ""
    state: int = 0
    start_time: int = 0
    end_time: int | None = None
    parent_run_id: bytes | None = None
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def evaluate(plan: Plan, row: RunRow) -> bool | None:
    """True, False, or None for unknown. A search finds the runs for which it is True."""
    match plan:
        case And(plans):
            answers = [evaluate(one, row) for one in plans]
            return False if False in answers else None if None in answers else True
        case Or(plans):
            answers = [evaluate(one, row) for one in plans]
            return True if True in answers else None if None in answers else False
        case Not(one):
            answer = evaluate(one, row)
            return None if answer is None else not answer
        case _:
            return _tested(plan, row)


def _tested(test: Test, row: RunRow) -> bool | None:
    if isinstance(test, Present):
        return value_of(test.name, row) is not None
    value = _seen(test.target, row)
    if value is None:
        return None
    match test:
        case Compare(_, sign, wanted):
            return _equal(value, wanted) if sign == "=" else _OPERATORS[sign](value, wanted)
        case OneOf(_, values):
            return any(_equal(value, wanted) for wanted in values)
        case Within(_, low, high):
            # The types are one: the plan saw to it.
            return _OPERATORS[">="](value, low) and _OPERATORS["<="](value, high)
        case Like(_, pattern, ignore_case):
            text = str(value)
            return patterns.matches(pattern, patterns.folded(text) if ignore_case else text)


def _equal(value: float | str, wanted: float | str) -> bool:
    return is_nan(value) if is_nan(wanted) else value == wanted


def _seen(target: Target, row: RunRow) -> float | str | None:
    """The value as the test sees it; None when it is missing, or not a number where one is asked for."""
    value = value_of(target.name, row)
    if isinstance(value, ParamValue):
        return value.number if target.number else value.text
    return value


def value_of(name: Name, row: RunRow) -> float | str | ParamValue | None:
    """The value of a name; None when the run has none."""
    if isinstance(name, Key):
        match name.kind:
            case Kind.PARAM:
                return row.params.get(name.key)
            case Kind.TAG:
                return row.tags.get(name.key)
            case Kind.METRIC:
                return row.metrics.get(name.key)
    match name:
        case Attribute.RUN_ID:
            return row.run_id.hex()
        case Attribute.EXPERIMENT_ID:
            return float(row.experiment)
        case Attribute.NAME:
            return row.name
        case Attribute.USER:
            return row.user
        case Attribute.STATE:
            return STATES[row.state] if row.state < len(STATES) else STATES[0]
        case Attribute.START_TIME:
            return float(row.start_time)
        case Attribute.END_TIME:
            return None if row.end_time is None else float(row.end_time)
        case Attribute.PARENT_RUN_ID:
            return None if row.parent_run_id is None else row.parent_run_id.hex()


def number_of(value: ParamValue) -> float:
    """The number of a param; NaN when it is none."""
    return math.nan if value.number is None else value.number
