"""Params and tags as rows of `attrs`: canonical texts, and the numbers that texts stand for."""

from __future__ import annotations

import math
import re

from fleetlog_proto.v1 import event_pb2

PARAM_KIND = 1
TAG_KIND = 2
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def canonical(param: event_pb2.Param) -> tuple[str, float, int]:
    """The text of a param, its number (NaN when it is none) and its type: the field number of its value.

    Reals are in the shortest form that reads back the same (Python's repr), truths are "true" and "false".
    """
    kind = param.WhichOneof("value")
    if kind == "whole":
        return str(param.whole), float(param.whole), 3
    if kind == "real":
        return repr(param.real), param.real if param.real == param.real else math.nan, 4
    if kind == "truth":
        return ("true" if param.truth else "false"), math.nan, 5
    return param.text, number_of(param.text), 2


def number_of(text: str) -> float:
    """The decimal number that the whole text is; NaN when it is none."""
    return float(text) if len(text) <= 400 and _NUMBER.fullmatch(text) else math.nan
