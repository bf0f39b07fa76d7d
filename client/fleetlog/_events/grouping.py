"""Runs that are written in turns. Without this every row of theirs would be a frame of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleetlog._events.items import Item, Marker, Writer


def by_writer(items: Iterable[Item]) -> Iterator[Item]:
    """The items with those of each writer together and in their order. None passes a marker."""
    groups: dict[Writer, list[Item]] = {}
    for item in items:
        if isinstance(item, Marker):
            for group in groups.values():
                yield from group
            groups.clear()
            yield item
        else:
            groups.setdefault(item.writer, []).append(item)
    for group in groups.values():
        yield from group
