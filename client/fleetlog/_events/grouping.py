"""Runs, and metrics of a run, that are written in turns: rows that would each be a frame or an event, put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fleetlog._events.items import Item, Marker, Row, Writer


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


def by_keys(rows: Sequence[Row], most: int) -> Iterator[list[Any]]:
    """The rows of one writer with those of the same keys together, `most` at a time.

    The points of each metric stay in their order: a row that has some of a group's metrics, but not all of them and no
    others, comes after everything before it.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    metrics: set[str] = set()
    keys: tuple[str, ...] | None = None
    group: list[Row] = []
    for row in rows:
        if row.keys is not keys:
            keys = row.keys
            known = groups.get(keys)
            if known is None:
                if not metrics.isdisjoint(keys):
                    yield from groups.values()
                    groups.clear()
                    metrics.clear()
                metrics.update(keys)
                known = groups[keys] = []
            group = known
        group.append(row)
        if len(group) == most:
            yield groups.pop(row.keys)
            metrics.difference_update(row.keys)
            keys = None
    yield from groups.values()
