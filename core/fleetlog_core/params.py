"""Params as the tables hold them: canonical texts with their types."""

from __future__ import annotations

from fleetlog_proto.v1 import event_pb2

from fleetlog_core.warehouse.schema import ParamType


def param_of(key: str, text: str, type_: int) -> event_pb2.Param:
    """The typed param of its canonical text; `type_` is the field number of its value."""
    if type_ == ParamType.WHOLE:
        return event_pb2.Param(key=key, whole=int(text))
    if type_ == ParamType.REAL:
        return event_pb2.Param(key=key, real=float(text))
    if type_ == ParamType.TRUTH:
        return event_pb2.Param(key=key, truth=text == "true")
    return event_pb2.Param(key=key, text=text)
