"""Params and tags from Python values."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_proto.v1 import event_pb2

_INT64 = 1 << 63
Value = str | int | float | bool


def to_param(key: str, value: object) -> event_pb2.Param:
    """A typed param: bool, int (within int64) and float as such, everything else as text."""
    if type(value) is float:
        return event_pb2.Param(key=key, real=value)
    if type(value) is str:
        return event_pb2.Param(key=key, text=value)
    if isinstance(value, bool):
        return event_pb2.Param(key=key, truth=value)
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return event_pb2.Param(key=key, whole=value)
    if isinstance(value, float):
        return event_pb2.Param(key=key, real=value)
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "shape", None) == ():
        # A numpy scalar.
        return to_param(key, item())
    return event_pb2.Param(key=key, text=str(value))


def to_params(values: Mapping[str, object]) -> list[event_pb2.Param]:
    """One param for each item."""
    return [to_param(str(key), value) for key, value in values.items()]


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
