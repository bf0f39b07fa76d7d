"""Params and tags from Python values: every item by itself, so that a bad one costs no other."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.events import check_params
from fleetlog_core.rules.names import check_keys, check_tags
from fleetlog_proto.v1 import event_pb2

from fleetlog._values.leaves import leaves
from fleetlog._values.values import LeftOut, Unusable, foreign, text

SEPARATOR = "."
"""Between the keys of nested params: optimizer.lr."""
_INT64 = 1 << 63
_NARROW: dict[str, tuple[range, Callable[[float], float]]] = {
    "float32": (range(1, 10), lambda real: float(struct.unpack("f", struct.pack("f", real))[0])),
    "float16": (range(1, 6), lambda real: float(struct.unpack("e", struct.pack("e", real))[0])),
    "bfloat16": (range(1, 5), lambda real: _bfloat16(real)),
}
"""Floats of less than 64 bits: how many digits tell them apart, and their nearest to a double."""
Value = str | int | float | bool
Item = TypeVar("Item")


def to_param(key: str, value: Any) -> event_pb2.Param:
    """A typed param: bool, int (within int64) and float as such, everything else as text. Unusable.

    Scalars of numpy, torch and their kin are what they hold; one of 32 bits or less is the number that it prints as.
    """
    if type(value) is float:
        return event_pb2.Param(key=key, real=value)
    if isinstance(value, str):
        return event_pb2.Param(key=key, text=text(value))
    if isinstance(value, bool):
        return event_pb2.Param(key=key, truth=bool(value))
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return event_pb2.Param(key=key, whole=int(value))
    if isinstance(value, float):
        return event_pb2.Param(key=key, real=float(value))
    if isinstance(value, (Decimal, Fraction)):
        return _of_exact(key, value)
    held = _scalar(value)
    if held is not value:
        return to_param(key, held)
    return event_pb2.Param(key=key, text=text(value))


def _of_exact(key: str, value: Decimal | Fraction) -> event_pb2.Param:
    """A real where that is the same number to its last digit, else its text."""
    try:
        real = float(value)
        same = Fraction(value) == real if isinstance(value, Fraction) else Decimal(repr(real)) == value
    except (ValueError, OverflowError, ArithmeticError):
        same = False
    return event_pb2.Param(key=key, real=real) if same else event_pb2.Param(key=key, text=text(value))


def _scalar(value: Any) -> Any:
    """What a scalar array or tensor holds, else the value itself."""
    shape = getattr(value, "shape", None)
    if not callable(getattr(value, "item", None)) or shape is None or tuple(shape) != ():
        return value
    found = value.item()
    if type(found) is type(value):
        return float(found)  # numpy.longdouble gives itself
    if isinstance(found, float):
        kind = getattr(value, "dtype", None)
        return shortest(found, str(getattr(kind, "name", kind)).rpartition(".")[2])
    return found


def shortest(real: float, kind: str) -> float:
    """The double that prints as a float of another kind ("float32", …) does: 0.1 for float32's nearest to it."""
    if kind not in _NARROW or not math.isfinite(real):
        return real
    counts, nearest = _NARROW[kind]
    for count in counts:
        mantissa, _, exponent = f"{real:.{count - 1}e}".partition("e")
        last = int(mantissa.replace(".", ""))
        # Of two that are as near, the one that is rounded to may be another float's.
        for digits in (last, last + 1, last - 1):
            found = float(f"{digits}e{int(exponent) - count + 1}")
            try:
                if nearest(found) == real:
                    return found
            except OverflowError:
                continue
    return real


def _bfloat16(real: float) -> float:
    """The first 16 bits of a float32, rounded to the nearest, ties to even."""
    bits = int(struct.unpack("I", struct.pack("f", real))[0])
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return float(struct.unpack("f", struct.pack("I", bits))[0])


def to_params(values: object) -> tuple[list[event_pb2.Param], list[LeftOut]]:
    """A param for each leaf of a config, and what could not be one. None is no value. Unusable: it is no mapping."""
    found: list[event_pb2.Param] = []
    out: list[LeftOut] = []
    for key, value in leaves(values, SEPARATOR, limits.PARAMS_PER_RUN):
        if value is None:
            continue
        if isinstance(value, Unusable):
            out.append(LeftOut(key, value.reason, str(value)))
            continue
        try:
            found.append(_param(key, value))
        except Unusable as error:
            out.append(LeftOut(key, error.reason, str(error)))
    return _right(found, lambda params: check_params(params, "params"), lambda param: param.key, out), out


def _param(key: str, value: object) -> event_pb2.Param:
    with foreign("VALUE_INVALID"):
        return to_param(text(key), value)


def to_tags(
    values: object, check: Callable[[dict[str, str]], None] = lambda tags: check_tags(tags, "tags")
) -> tuple[list[tuple[str, str]], list[LeftOut]]:
    """Keys and texts, and what could not be one. None is no value. `check`: of a run's tags, or others'.

    Unusable: it is no mapping.
    """
    found: dict[str, str] = {}
    out: list[LeftOut] = []
    for key, value in leaves(values, SEPARATOR, limits.TAGS_PER_RUN, nested=False):
        if isinstance(value, Unusable):
            out.append(LeftOut(key, value.reason, str(value)))
        elif value is not None:
            try:
                found[text(key)] = text(value)
            except Unusable as error:
                out.append(LeftOut(key, error.reason, str(error)))
    right = _right(list(found.items()), lambda tags: check(dict(tags)), lambda tag: tag[0], out)
    return right, out


def to_keys(keys: Iterable[object]) -> tuple[list[str], list[LeftOut]]:
    """Keys, also out of lists of them, and what could not be one."""
    found: list[str] = []
    out: list[LeftOut] = []
    for key in keys:
        inner = key if isinstance(key, (list, tuple, set, frozenset)) else (key,)
        for one in inner:
            try:
                found.append(text(one))
            except Unusable as error:
                out.append(LeftOut("?", error.reason, str(error)))
    return _right(found, lambda some: check_keys(some, lambda place: "keys"), lambda key: key, out), out


def _right(
    items: list[Item], check: Callable[[list[Item]], object], key_of: Callable[[Item], str], out: list[LeftOut]
) -> list[Item]:
    """Items that pass the check; the others go to `out`. All are checked at once, and each only when that fails."""
    try:
        check(items)
        return items
    except InvalidArgument:
        found = []
        for item in items:
            try:
                check([item])
                found.append(item)
            except InvalidArgument as error:
                out.append(LeftOut(key_of(item), error.reason, error.violations[0].description))
        return found


def from_param(param: event_pb2.Param) -> Value:
    """The value in its type."""
    kind = param.WhichOneof("value")
    if kind == "whole":
        return param.whole
    if kind == "real":
        return param.real
    if kind == "truth":
        return param.truth
    return param.text
