"""Values by themselves: what runs are compared by, and what they are grouped by."""

from __future__ import annotations

from fleetlog_core import limits

from fleetlog_query.language import tree
from fleetlog_query.language.calculate import Calculator
from fleetlog_query.language.diagnosis import filter_error
from fleetlog_query.language.parse import parse_quantity
from fleetlog_query.language.values import Key, Value, read_by


def quantity_of(text: str, field: str, now_millis: float | None = None) -> Value:
    """A number of a run, such as `min(metrics.val_loss) * 1000`. `field` is the request's field, for errors.

    FILTER_SYNTAX, FILTER_TYPE, FILTER_UNKNOWN_FIELD, FILTER_TOO_LARGE, with the column in metadata.
    """
    operand = parse_quantity(text, field)
    value = Calculator(field, now_millis).number(operand).value
    terms = len(set(read_by(value)))
    if not terms:
        what = "expected something of a run, such as metrics.val_loss; this is the same for all runs"
        raise filter_error("FILTER_TYPE", operand.span.start, what, field)
    if terms > limits.FILTER_TERMS:
        what = f"a calculation with {terms} names, at most {limits.FILTER_TERMS}"
        raise filter_error("FILTER_TOO_LARGE", operand.span.start, what, field)
    return value


def key_of(text: str, field: str) -> Key:
    """A name, such as `params.lr`. Errors as of quantity_of."""
    operand = parse_quantity(text, field)
    if not isinstance(operand, tree.Field):
        raise filter_error("FILTER_TYPE", operand.span.start, "expected a name such as params.lr", field)
    return Calculator(field, None).single(operand)
