"""The order of runs in Python: what pages must come in. Pure; the tests hold the statements to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fleetlog_core.warehouse.schema import ParamType
from fleetlog_query.language.fields import ATTRIBUTES
from fleetlog_query.language.order_key import OrderKey
from fleetlog_query.language.values import EXACT, Key, TextOf

from tests.query.reference.evaluate import Row, number_of, text_of


def ranked(rows: Mapping[str, Row], keys: Sequence[OrderKey]) -> list[str]:
    """The run ids in order. Every row has a start_time."""
    found = sorted(rows)
    found.sort(key=lambda run_id: number_of(Key("attributes", "start_time"), rows[run_id]) or 0.0, reverse=True)
    # Sorting is stable: the first key is sorted by last.
    for key in reversed(keys):
        placed = [(place_of(key, rows[run_id]), run_id) for run_id in found]
        placed.sort(key=lambda one: (one[0][1], one[0][2].encode("utf-8", "surrogateescape")), reverse=key.descending)
        placed.sort(key=lambda one: one[0][0])
        found = [run_id for _, run_id in placed]
    return found


def place_of(key: OrderKey, row: Row) -> tuple[int, float, str]:
    """(class, number, text): 0 number, 1 NaN, 2 text, 3 missing. What the statements sort by, too."""
    number = None if isinstance(key.value, TextOf) or _is_text(key) else number_of(key.value, row)
    if number is not None:
        return (1, 0.0, "") if math.isnan(number) else (0, number, _rest_of(key, row, number))
    value = key.value.key if isinstance(key.value, TextOf) else key.value
    text = text_of(value, row) if isinstance(value, Key) and value.kind != "metrics" else None
    return (3, 0.0, "") if text is None else (2, 0.0, text)


def _rest_of(key: OrderKey, row: Row, number: float) -> str:
    """What tells params apart whose numbers are the same doubles: see exact_rest_sql."""
    if not isinstance(key.value, Key) or key.value.kind != "params" or abs(number) < EXACT:
        return ""
    _, text, type_ = row.params[key.value.key]
    return f"{1000 + (int(text) - int(number) if type_ == ParamType.WHOLE else 0):04}"


def _is_text(key: OrderKey) -> bool:
    if not isinstance(key.value, Key):
        return False
    if key.value.kind == "attributes":
        return ATTRIBUTES[key.value.key] in ("text", "id")
    return key.value.kind == "tags"
