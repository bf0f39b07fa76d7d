"""Runs of a source in an order in which a run comes behind what it is part of, or was forked from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def origins_first(
    items: Iterable[Item], id_of: Callable[[Item], str], origins_of: Callable[[Item], Iterable[str]]
) -> list[Item]:
    """Returns the items in their order, but each behind its origins, as far as these are among them. A circle of
    origins is cut anywhere."""
    by_id = {id_of(item): item for item in items}
    found: list[Item] = []
    seen: set[str] = set()
    for key in by_id:
        path = [key]
        while path:
            top = path[-1]
            waits = [one for one in origins_of(by_id[top]) if one in by_id and one not in seen and one not in path]
            if top in seen:
                path.pop()
            elif waits:
                path.append(waits[0])
            else:
                seen.add(top)
                found.append(by_id[top])
                path.pop()
    return found
