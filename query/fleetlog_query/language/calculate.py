"""Operands that are numbers: calculations, their units, windows. Constants are folded."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from fleetlog_core.errors import shown
from fleetlog_core.times import number_to_millis

from fleetlog_query.language import tree
from fleetlog_query.language.diagnosis import filter_error
from fleetlog_query.language.fields import ATTRIBUTES, resolve
from fleetlog_query.language.moments import EXAMPLE, moment_of
from fleetlog_query.language.tree import Operand, Operator, Sign, Span
from fleetlog_query.language.values import (
    EVERY,
    NONE,
    Computed,
    Key,
    Reduction,
    Series,
    Value,
    Window,
    combine,
    name_of,
    number_of,
)

Unit = Literal["number", "plain", "time", "span"]
"""Units: a number of a run; a plain number, which goes with every unit; Unix milliseconds; milliseconds."""
_WORDS = {"number": "a number", "plain": "a number", "time": "a time", "span": "a duration"}
_Pairs = dict[tuple[Unit, Unit], Unit]
_PLAIN: _Pairs = {
    ("plain", "plain"): "plain", ("plain", "number"): "number", ("number", "plain"): "number",
    ("number", "number"): "number",
}  # fmt: skip
_ADDED: _Pairs = _PLAIN | {
    ("time", "span"): "time", ("time", "plain"): "time", ("span", "span"): "span", ("span", "plain"): "span",
}  # fmt: skip
_SCALED: _Pairs = _PLAIN | {("span", "plain"): "span", ("span", "number"): "span"}
_UNITS: dict[Sign, _Pairs] = {
    "+": _ADDED | {("span", "time"): "time", ("plain", "time"): "time", ("plain", "span"): "span"},
    "-": _ADDED | {("time", "time"): "span", ("plain", "span"): "span"},
    "*": _SCALED | {("plain", "span"): "span", ("number", "span"): "span"},
    "/": _SCALED | {("span", "span"): "plain"},
}
_STEP_LIMIT = 10**18
_CALCULATION = re.compile(r"[-/](?:metrics?|params?|attributes?|attr|run)\.")


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric operand: what it is, and in which unit."""

    value: Value
    unit: Unit

    def compared_with(self, unit: Unit) -> Number:
        """Itself; a number that is compared with a time is one by fleetlog_core.times: seconds or milliseconds."""
        if unit == "time" and self.unit == "plain" and isinstance(self.value, float):
            return Number(number_to_millis(self.value), unit)
        return self


@dataclass(frozen=True, slots=True)
class Calculator:
    """`field` is the request's field, for errors; `now_millis` what now() is. `windows` were asked for so far."""

    field: str
    now_millis: float | None
    windows: set[Series] = dataclasses.field(default_factory=set)

    def number(self, operand: Operand) -> Number:
        """The operand as a number. FILTER_TYPE, FILTER_UNKNOWN_FIELD."""
        match operand:
            case tree.Number(value, whole, _):
                return Number(number_of(value, whole), "plain")
            case tree.Duration(millis, _):
                return Number(millis, "span")
            case tree.Now(span):
                if self.now_millis is None:
                    self.refuse(span, "now() has no meaning here; write a time")
                return Number(float(self.now_millis), "time")
            case tree.Text(text, span):
                return Number(self.moment(text, span), "time")
            case tree.Field():
                return self._field(operand)
            case tree.Series():
                return Number(self.series(operand), "number")
            case tree.Arithmetic():
                return self._arithmetic(operand)
            case tree.AsText(_, span):
                return self.refuse(span, "text() is a text: compare it with a text in quotes, or sort by it alone")

    def key(self, field: tree.Field) -> Key:
        """Key that a name means. FILTER_UNKNOWN_FIELD."""
        resolved = resolve(field.group, field.key)
        if isinstance(resolved, str):
            raise filter_error("FILTER_UNKNOWN_FIELD", field.span.start, resolved, self.field)
        if not field.quoted and _CALCULATION.search(field.key):
            self.refuse(
                field.span, "a calculation needs spaces around - and /; a key with them is clearer in backticks"
            )
        return Key(*resolved)

    def text_key(self, operand: tree.AsText) -> Key:
        """Key that is to be read as a text. FILTER_TYPE, FILTER_UNKNOWN_FIELD."""
        key = self.single(operand.field)
        if key.kind == "metrics" or (key.kind == "attributes" and ATTRIBUTES[key.key] not in ("text", "id")):
            self.refuse(operand.field.span, f"text() is of params, tags and texts, and {name_of(key)} is a number")
        return key

    def single(self, field: tree.Field) -> Key:
        """Key of a field that a run has once. FILTER_TYPE."""
        key = self.key(field)
        if key.kind == "datasets":
            self.refuse(field.span, f"a run may have several datasets: {name_of(key)} is for filters alone")
        return key

    def series(self, series: tree.Series) -> Key | Series:
        """Value that a function means; the last of all points is what the metric itself is."""
        key = self.key(series.field)
        if key.kind != "metrics":
            self.refuse(series.field.span, f"{series.function}() is of a metric, and {name_of(key)} is none")
        if series.function == "at":
            step = series.step
            if step is None or step.whole is None or abs(step.whole) >= _STEP_LIMIT:
                self.refuse(step.span if step else series.span, "a step is a whole number of at most 18 digits")
            return self._windowed("last", key.key, Window((step.whole, step.whole)))
        if not series.window:
            return key if series.function == "last" else Series(series.function, key.key)
        return self._windowed(series.function, key.key, self._window(series.window))

    def _windowed(self, function: Reduction, key: str, window: Window) -> Series:
        series = Series(function, key, window)
        self.windows.add(series)
        return series

    def moment(self, text: str, span: Span) -> float:
        """A text as a time. FILTER_TYPE."""
        millis = moment_of(text)
        if millis is None:
            self.refuse(span, f"expected a time such as {EXAMPLE}, or Unix milliseconds, found {shown(text)}")
        return millis

    def check_units(self, left: Unit, right: Unit, span: Span) -> None:
        """That two sides can be compared. FILTER_TYPE."""
        if left != right and "plain" not in (left, right):
            hint = "; durations and times are milliseconds" if "number" in (left, right) else ""
            self.refuse(span, f"{_WORDS[left]} can't be compared with {_WORDS[right]}{hint}")

    def refuse(self, span: Span, what: str) -> NoReturn:
        """Raises FILTER_TYPE at the place."""
        raise filter_error("FILTER_TYPE", span.start, what, self.field)

    def _field(self, field: tree.Field) -> Number:
        key = self.key(field)
        if key.kind in ("tags", "datasets"):
            self.refuse(field.span, f"{name_of(key)} is a text; only numbers can be calculated with or compared so")
        if key.kind != "attributes":
            return Number(key, "number")
        type_ = ATTRIBUTES[key.key]
        if type_ not in ("time", "number"):
            self.refuse(field.span, f"{key.key} is no number; only numbers can be calculated with or compared so")
        return Number(key, "time" if type_ == "time" else "number")

    def _arithmetic(self, operand: tree.Arithmetic) -> Number:
        result = self.number(operand.first)
        for sign, term in operand.rest:
            other = self.number(term)
            unit = _UNITS[sign].get((result.unit, other.unit))
            if unit is None:
                self.refuse(term.span, f"{_WORDS[result.unit]} {sign} {_WORDS[other.unit]} makes no sense")
            if isinstance(result.value, float) and isinstance(other.value, float):
                result = Number(combine(sign, result.value, other.value), unit)
            else:
                result = Number(Computed(sign, result.value, other.value), unit)
        return result

    def _window(self, conditions: tuple[tree.Within, ...]) -> Window:
        ranges = {"step": EVERY, "time": EVERY, "rank": EVERY}
        for condition in conditions:
            low, high = self._range(condition)
            low, high = max(low, ranges[condition.axis][0]), min(high, ranges[condition.axis][1])
            ranges[condition.axis] = (low, high) if low <= high else NONE
        return Window(ranges["step"], ranges["time"], ranges["rank"])

    def _range(self, condition: tree.Within) -> tuple[int, int]:
        bounds = [self._bound(condition, other) for other in condition.others]
        # Beyond every 64-bit step, so that the range of all steps cuts it.
        ends = [math.copysign(1 << 70, bound) if math.isinf(bound) else bound for bound in bounds]
        ceiling, floor = math.ceil(ends[0]), math.floor(ends[-1])
        ranges: dict[Operator, tuple[int, int]] = {
            "=": (ceiling, floor), "between": (ceiling, floor), "<": (EVERY[0], ceiling - 1), "<=": (EVERY[0], floor),
            ">": (floor + 1, EVERY[1]), ">=": (ceiling, EVERY[1]),
        }  # fmt: skip
        if condition.operator not in ranges:
            self.refuse(condition.span, f"a window is one range of {condition.axis}: use = < <= > >= or BETWEEN")
        return ranges[condition.operator]

    def _bound(self, condition: tree.Within, operand: Operand) -> float:
        if isinstance(operand, tree.Number) and operand.whole is not None:
            return number_to_millis(operand.whole) if condition.axis == "time" else operand.whole
        number = self.number(operand)
        if not isinstance(number.value, float):
            self.refuse(operand.span, "a window has fixed ends: a number or a time")
        if number.unit != "plain" and (condition.axis != "time" or number.unit != "time"):
            wanted = "a time" if condition.axis == "time" else "a number"
            self.refuse(operand.span, f"expected {wanted} for {condition.axis}, found {_WORDS[number.unit]}")
        if math.isnan(number.value):
            self.refuse(operand.span, "NaN is no end of a window")
        return number_to_millis(number.value) if (condition.axis, number.unit) == ("time", "plain") else number.value
