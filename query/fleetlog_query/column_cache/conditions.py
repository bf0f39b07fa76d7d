"""Plain conditions on columns that are held: on the latest value of one key, compared with constants.

Only such as are false for what is missing and for NaN alike: the rest is the engine's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.frame import Frame
from fleetlog_query.language.conditions import Leaf, Plan, is_exact, is_nan, is_simple, truths_of
from fleetlog_query.language.values import Key
from fleetlog_query.series.series_rows import Select

Real = npt.NDArray[np.float64]
Holds = npt.NDArray[np.bool_]
_SIGNS: Mapping[str, Callable[[Real, float], Holds]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def is_of_column(plan: Plan) -> bool:
    """Whether `holds_of` can tell."""
    if not isinstance(plan, Leaf) or not is_simple(plan) or plan.negated or any(map(is_nan, plan.values)):
        return False
    if is_exact(plan) or truths_of(plan):
        return False
    if plan.numeric:
        return plan.operator in _SIGNS or plan.operator == "between"
    is_held = isinstance(plan.value, Key) and plan.value.kind in ("params", "tags")
    return plan.operator in ("=", "in") and is_held


def holds_of(plan: Plan, frame: Frame, select: Select) -> Holds:
    """For each run of the frame, whether it holds. ValueError for a plan that is not `is_of_column`."""
    if not isinstance(plan, Leaf) or not isinstance(plan.value, Key):
        raise ValueError("not a condition on one column")
    if not plan.numeric:
        labels = frame.texts(plan.value, select)
        wanted = np.array([text in plan.values for text in labels.texts] + [False])
        # Code -1, no text, is the last place.
        holds: Holds = wanted[labels.codes]
        return holds
    values = frame.numbers(plan.value, select)
    numbers = [value for value in plan.values if isinstance(value, float)]
    if plan.operator == "between":
        return (values >= numbers[0]) & (values <= numbers[1])
    return _SIGNS[plan.operator](values, numbers[0])
