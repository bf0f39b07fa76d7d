"""Imports of a source that grows, again and again: each brings what is new alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleetlog.importers.report import Report
from fleetlog.importers.source import Source

MARGIN_MILLIS = 120_000
"""Milliseconds before the last look began from which on changes are looked at again: clocks of machines differ."""


def follow(
    open_: Callable[[], Source],
    import_: Callable[[Source, int | None], Report],
    wait: Callable[[], bool],
    now_millis: Callable[[], int],
    since: int | None = None,
) -> Iterator[Report]:
    """Yields the report of each import, for as long as `wait`, which is asked between them, says that there is another.

    The first takes what started or changed since `since`, each later one what did since the one before it.
    """
    while True:
        began = now_millis()
        yield import_(open_(), since)
        since = began - MARGIN_MILLIS
        if not wait():
            return
