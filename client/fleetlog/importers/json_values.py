"""Values that other trackers keep as JSON, as params, numbers and texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fleetlog.importers.source import Param

SEPARATOR = "."
"""What joins the names of what is nested."""
KIND = "_type"
"""Key of objects that are an image, a histogram, a table and the like: they are one value."""
MAX_DEPTH = 32
_NOT_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def leaves(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names and values of what a value holds: those of objects one by one, lists as they are."""
    if isinstance(value, dict) and value and KIND not in value and depth < MAX_DEPTH:
        for key, inner in value.items():
            yield from leaves(f"{name}{SEPARATOR}{key}" if name else str(key), inner, depth + 1)
    else:
        yield name, value


def number_of(value: Any) -> float | None:
    """The number of a value: of a truth 0 or 1, of "NaN" and "Infinity" what they say; None for what is no number."""
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return _NOT_NUMBERS.get(value) if isinstance(value, str) else None


def params_of(config: Mapping[str, Any]) -> dict[str, Param]:
    """Params of a config: nested names joined by dots; lists, and what is empty, as JSON."""
    return {name: value if isinstance(value, (bool, int, float, str)) else text_of(value)
            for key, given in config.items() for name, value in leaves(key, given)}  # fmt: skip


def text_of(value: Any) -> str:
    """A text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
