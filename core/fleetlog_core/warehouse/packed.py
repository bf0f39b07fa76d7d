"""Numbers and points as integers of the same order, as fleetlog_core.ordered packs them, in SQL over `points`."""

from __future__ import annotations

_WORD = 18446744073709551615
_SIGN = 9223372036854775808
_STEP = f"bitXor(reinterpretAsUInt64(step), {_SIGN})"
_TIME = f"bitXor(reinterpretAsUInt64(toUnixTimestamp64Milli(ts)), {_SIGN})"
_VALUE = (
    f"multiIf(isNaN(value), 0, reinterpretAsUInt64(value) >= {_SIGN},"
    f" bitNot(reinterpretAsUInt64(value)), bitOr(reinterpretAsUInt64(value), {_SIGN}))"
)
POINT_ORDER_SQL = (
    f"bitOr(bitOr(bitShiftLeft(toUInt256({_STEP}), 128), bitShiftLeft(toUInt256({_TIME}), 64)), toUInt256({_VALUE}))"
)
"""step << 128 | time << 64 | value: attrs.ver of metrics, series.first and series.last."""
LOW_SQL = f"bitOr(bitShiftLeft(toUInt128({_VALUE}), 64), toUInt128({_STEP}))"
"""value << 64 | step: series.low."""
HIGH_SQL = f"bitOr(bitShiftLeft(toUInt128({_VALUE}), 64), toUInt128(bitNot({_STEP})))"
"""value << 64 | ~step: series.high."""


def value_of(packed: str) -> str:
    """The value of a point that is packed, as a Float64."""
    word = f"toUInt64(bitAnd({packed}, {_WORD}))"
    bits = f"if({word} >= {_SIGN}, bitXor({word}, {_SIGN}), bitNot({word}))"
    return f"if({word} = 0, nan, reinterpretAsFloat64({bits}))"
