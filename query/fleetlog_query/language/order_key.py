"""A key of order_by: what runs are sorted by."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_core import limits

from fleetlog_query.language import tree
from fleetlog_query.language.calculate import Calculator
from fleetlog_query.language.diagnosis import filter_error
from fleetlog_query.language.parse import parse_key
from fleetlog_query.language.values import Computed, Key, Series, TextOf, name_of, read_by


@dataclass(frozen=True, slots=True)
class OrderKey:
    """An attribute, the latest value of a key (also as a text), a function of points or a calculation; and its way."""

    value: Key | TextOf | Series | Computed
    descending: bool

    def __str__(self) -> str:
        return f"{name_of(self.value)} {'DESC' if self.descending else 'ASC'}"

    @property
    def sources(self) -> list[Key | Series]:
        """Values that are read for it, each once."""
        return list(dict.fromkeys(read_by(self.value)))

    @property
    def reads_windows(self) -> bool:
        """True if some of a metric's points are looked at, rather than all or the last."""
        return any(isinstance(source, Series) and source.window is not None for source in self.sources)

    @property
    def of_attributes(self) -> bool:
        """True if attributes of runs are all that is read."""
        return all(isinstance(source, Key) and source.kind == "attributes" for source in self.sources)

    @property
    def of_numbers(self) -> bool:
        """True if numbers come first that are not of attributes: of a metric, a param, a function or a calculation."""
        if isinstance(self.value, TextOf):
            return False
        return self.value.kind in ("metrics", "params") if isinstance(self.value, Key) else not self.of_attributes


def parse_order_key(text: str, field: str = "order_by", now_millis: float | None = None) -> OrderKey:
    """One key, such as `metrics.val_loss DESC` or `min(metrics.val_loss) - metrics.goal`; ASC when it says no way.

    `field` is the request's field, for errors; `now_millis` what now() is.
    FILTER_SYNTAX, FILTER_TYPE, FILTER_UNKNOWN_FIELD, FILTER_TOO_LARGE, with the column in metadata.
    """
    parsed = parse_key(text, field)
    operand, calculator = parsed.operand, Calculator(field, now_millis)
    if isinstance(operand, tree.Field):
        return OrderKey(calculator.single(operand), parsed.descending)
    if isinstance(operand, tree.AsText):
        return OrderKey(TextOf(calculator.text_key(operand)), parsed.descending)
    value = 0.0 if isinstance(operand, tree.Text) else calculator.number(operand).value
    if isinstance(value, float):
        calculator.refuse(operand.span, "expected something of a run to sort by, such as metrics.val_loss")
    key = OrderKey(value, parsed.descending)
    if len(key.sources) > limits.FILTER_TERMS:
        what = f"a calculation with {len(key.sources)} names, at most {limits.FILTER_TERMS}"
        raise filter_error("FILTER_TOO_LARGE", operand.span.start, what, field)
    return key
