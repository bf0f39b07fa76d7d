"""Conditions on texts: whether one holds of a text. Pure."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import TypeVar

from fleetlog_query.language import patterns
from fleetlog_query.language.conditions import Leaf

Ordered = TypeVar("Ordered", float, bytes)


def text_holds(leaf: Leaf, text: str, *, truth: bool = False) -> bool:
    """True if a condition, without its NOT, holds of a text. `truth`: it is that of a truth."""
    wanted = [str(value) for value in leaf.values]
    match leaf.operator:
        case "in":
            return text in wanted or (truth and text.capitalize() in wanted)
        case "like":
            return patterns.is_like(wanted[0], text)
        case "ilike" | "matches":
            return patterns.finds(wanted[0], text)
        case "between":
            return _bytes(wanted[0]) <= _bytes(text) <= _bytes(wanted[1])
        case "=" | "!=":
            found = text == wanted[0] or (truth and text.capitalize() == wanted[0])
            return found == (leaf.operator == "=")
        case _:
            return ordered(leaf.operator, _bytes(text), _bytes(wanted[0]))


def ordered(operator: str, one: Ordered, other: Ordered) -> bool:
    """True if a comparison by order holds of two values."""
    signs: dict[str, Callable[[Ordered, Ordered], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
    return signs[operator](one, other)


def _bytes(text: str) -> bytes:
    """Bytes that texts are ordered by."""
    return text.encode("utf-8", "surrogateescape")
