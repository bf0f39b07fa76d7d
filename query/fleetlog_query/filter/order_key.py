"""A key of order_by: what runs are sorted by."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_query.filter import tree
from fleetlog_query.filter.calculate import Calculator
from fleetlog_query.filter.parse import parse_key
from fleetlog_query.filter.values import Key, Series


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """An attribute, the latest value of a key, or a function of a metric's points; and the way it goes."""

    value: Key | Series
    descending: bool


def parse_order_key(text: str, field: str = "order_by", now_millis: float | None = None) -> ParsedKey:
    """One key, such as `metrics.val_loss DESC` or `min(metrics.val_loss WHERE step > 1000)`; ASC when it says no way.

    `field` is the request's field, for errors; `now_millis` what now() is in a window.
    FILTER_SYNTAX, FILTER_TYPE, FILTER_UNKNOWN_FIELD, FILTER_TOO_LARGE, with the column in metadata.
    """
    parsed = parse_key(text, field)
    calculator = Calculator(field, now_millis)
    operand = parsed.operand
    if isinstance(operand, tree.Field):
        return ParsedKey(calculator.key(operand), parsed.descending)
    return ParsedKey(calculator.series(operand), parsed.descending)
