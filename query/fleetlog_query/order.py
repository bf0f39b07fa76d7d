"""Orders of a search: keys as they were asked for, the columns that a page is sorted by, and the same in Python.

Within a key come numbers, then NaN, then texts (params may be either), then the runs that have no value, in both
directions. Ties fall to the latest start, then to the run id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, Violation
from lark import Token

from fleetlog_query.filter.complaint import Source, Span, quoted
from fleetlog_query.filter.evaluate import ParamValue, RunRow, value_of
from fleetlog_query.filter.fields import Name, resolve
from fleetlog_query.filter.parse import field_of, tokens_of

NUMBER, NAN, TEXT, MISSING = range(4)
"""Classes of values, in their order."""
_FORM = "write metrics.val_loss ASC or params.lr DESC"


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order."""

    name: Name
    descending: bool


def parse_order_by(texts: Sequence[str]) -> tuple[OrderKey, ...]:
    """The keys. ORDER_BY_TOO_LARGE, ORDER_BY_SYNTAX, ORDER_BY_UNKNOWN_FIELD. A name that comes again is left out."""
    if len(texts) > limits.ORDER_BY_KEYS:
        description = f"{len(texts):,} keys, at most {limits.ORDER_BY_KEYS}"
        raise InvalidArgument.of_field("ORDER_BY_TOO_LARGE", "order_by", description)
    keys: dict[Name, OrderKey] = {}
    for place, text in enumerate(texts):
        key = _parsed(Source(f"order_by[{place}]", text))
        keys.setdefault(key.name, key)
    return tuple(keys.values())


def _parsed(source: Source) -> OrderKey:
    if len(source.text) > limits.KEY_CHARACTERS * 4:
        raise source.refusal("ORDER_BY_SYNTAX", Span(0, 1), f"longer than any key can be; {_FORM}")
    try:
        tokens = list(tokens_of(source))
    except InvalidArgument as error:
        raise InvalidArgument(
            "ORDER_BY_SYNTAX", error.message, violations=error.violations, metadata=error.metadata
        ) from None
    if not tokens:
        raise InvalidArgument(
            "ORDER_BY_SYNTAX",
            f"{source.field}: an empty key; {_FORM}",
            violations=(Violation(source.field, f"an empty key; {_FORM}"),),
        )
    if tokens[0].type not in ("KEYED", "NAME"):
        raise _refused(source, tokens[0], "expected a name")
    descending = False
    if len(tokens) > 1:
        word = tokens[1].upper()
        if tokens[1].type != "NAME" or word not in ("ASC", "DESC"):
            raise _refused(source, tokens[1], "expected ASC or DESC")
        descending = word == "DESC"
    if len(tokens) > 2:
        raise _refused(source, tokens[2], "expected the end")
    return OrderKey(resolve(source, field_of(tokens[0]), "ORDER_BY"), descending)


def _refused(source: Source, token: Token, expected: str) -> InvalidArgument:
    span = Span(token.start_pos or 0, token.end_pos or 0)
    return source.refusal("ORDER_BY_SYNTAX", span, f"{expected}, found {quoted(token)}; {_FORM}")


def arrange(rows: Iterable[RunRow], keys: Sequence[OrderKey]) -> list[RunRow]:
    """The rows in order: what the warehouse's answer is held against."""
    arranged = sorted(rows, key=lambda row: (-row.start_time, row.run_id))
    for key in reversed(keys):
        # Sorting is stable, reversed too: the classes first in their own order, then the values in the asked one.
        arranged.sort(key=lambda row: sort_value(key, row)[1:], reverse=key.descending)
        arranged.sort(key=lambda row: sort_value(key, row)[0])
    return arranged


def sort_value(key: OrderKey, row: RunRow) -> tuple[int, float, bytes]:
    """Class, number and text (UTF-8, which orders as ClickHouse does) of a row's value."""
    value = value_of(key.name, row)
    if isinstance(value, ParamValue):
        value = value.text if value.number is None else value.number
    if value is None:
        return MISSING, 0.0, b""
    if isinstance(value, str):
        return TEXT, 0.0, value.encode()
    return (NAN, 0.0, b"") if math.isnan(value) else (NUMBER, value, b"")
