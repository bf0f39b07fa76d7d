"""What is nested, as leaves: a config's `optimizer.lr`, a dict of metrics' `train/loss`.

Mappings, argparse.Namespace, SimpleNamespace, dataclasses, named tuples, and what looks like pydantic, attrs, msgspec
or a config that is almost a dict (OmegaConf, ml_collections) are taken apart. Lists are where they hold one of those;
others are one value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

from fleetlog._values.values import Unusable, display, foreign, text

MAX_DEPTH = 32
"""Maximum of levels; a structure that holds itself would have no end."""
PLAIN = frozenset((str, int, float, bool, type(None), bytes))
_INVALID = foreign("KEY_INVALID")
_VALUE = foreign("VALUE_INVALID")

Parts = tuple[Iterator[Any], Callable[[Any], Any]]
"""Keys, and the value of a key."""
Leaf = tuple[str, Any]
"""A path, and its value or the Unusable that says why there is none."""


def leaves(given: object, separator: str, most: int, *, nested: bool = True) -> Iterator[Leaf]:
    """The leaves in order, by path; at most `most` of them. Unusable: `given` is no mapping.

    Not `nested`: the items alone, as they are.
    """
    with _VALUE:
        parts = _top(given)
    if parts is None:
        raise Unusable("NOT_A_MAPPING", f"{display(given)} is {type(given).__name__}, not a dict")
    stack: list[tuple[str, Parts, int]] = [("", parts, id(given))]
    holders = {id(given)}
    count = 0
    while stack:
        prefix, (keys, value_of), holder = stack[-1]
        try:
            with _INVALID:
                key = next(keys, _END)
        except Unusable as error:
            yield prefix or "its keys", error
            key = _END
        if key is _END:
            stack.pop()
            holders.discard(holder)
            continue
        try:
            name = _name(key)
        except Unusable as error:
            yield f"{prefix}{separator}?" if prefix else "?", error
            continue
        path = f"{prefix}{separator}{name}" if prefix else name
        try:
            with _VALUE:
                value = value_of(key)
                inner = parts_of(value) if nested else None
        except Unusable as error:
            yield path, error
            continue
        if inner is None:
            count += 1
            if count > most:
                yield path, Unusable("TOO_MANY_KEYS", f"there are more than {most:,} values; log fewer at a time")
                return
            yield path, value
        elif id(value) in holders:
            yield path, Unusable("VALUE_INVALID", "it holds itself; log its parts by themselves")
        elif len(stack) >= MAX_DEPTH:
            yield path, Unusable("VALUE_INVALID", f"it is nested deeper than {MAX_DEPTH} levels; log its parts")
        else:
            holders.add(id(value))
            stack.append((path, inner, id(value)))


_END: Any = object()


def _name(key: object) -> str:
    if type(key) is str and key:
        return key
    if key is None or key == "":
        raise Unusable("KEY_INVALID", "a key is None or empty; name it")
    return text(key)


def _top(given: Any) -> Parts | None:
    """Returns the items of what is passed as a whole; pairs and what has to_dict() will do too."""
    if isinstance(given, (Mapping, list, tuple)) and not len(given):
        return iter(()), given.__getitem__
    found = parts_of(given)
    if found is not None or isinstance(given, (type, str, bytes)):
        return found
    if isinstance(given, (list, tuple)) and all(isinstance(one, (list, tuple)) and len(one) == 2 for one in given):
        return parts_of(dict(given))
    if callable(to_dict := getattr(given, "to_dict", None)) and not hasattr(given, "shape"):
        return parts_of(to_dict())
    return None


def parts_of(value: Any) -> Parts | None:
    """The keys and values of what is nested; None for a leaf, also an empty one."""
    kind = type(value)
    if kind in PLAIN or isinstance(value, type):
        return None
    if kind is dict or isinstance(value, Mapping):
        return (iter(value), value.__getitem__) if len(value) else None
    if isinstance(value, (list, tuple)):
        if (names := getattr(value, "_fields", None)) is not None:
            return iter(names), lambda name: getattr(value, name)
        return (iter(range(len(value))), value.__getitem__) if any(map(_is_nested, value)) else None
    if is_dataclass(value):
        return iter([field.name for field in fields(value)]), lambda name: getattr(value, name)
    if _is_namespace(value):
        held = vars(value)
        return iter(held), held.__getitem__
    return _by_looks(value, kind)


def _by_looks(value: Any, kind: type) -> Parts | None:
    if isinstance(getattr(kind, "model_fields", None) or getattr(kind, "__fields__", None), dict):
        held = dict(value)  # pydantic: pairs of names and values, those of extra fields too
        return iter(held), held.__getitem__
    if (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        return iter([one.name for one in attributes]), lambda name: getattr(value, name)
    if (names := getattr(kind, "__struct_fields__", None)) is not None:
        return iter(names), lambda name: getattr(value, name)
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__") and not hasattr(value, "shape"):
        return iter(value.keys()), value.__getitem__
    return None


def _is_namespace(value: object) -> bool:
    if isinstance(value, SimpleNamespace):
        return True
    # Not imported for this: who has one has the module.
    argparse = sys.modules.get("argparse")
    return argparse is not None and isinstance(value, argparse.Namespace)


def _is_nested(value: object) -> bool:
    return type(value) not in PLAIN and not isinstance(value, (list, tuple)) and parts_of(value) is not None
