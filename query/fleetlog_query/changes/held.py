"""What is derived of places and kept current between questions: a lock and a feed of changes for each, and one limit of
bytes for all of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from fleetlog_core.warehouse.port import TimedOut

from fleetlog_query.changes.changed_runs import ChangedRuns, Place
from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.warehouse.cancellable import seconds_left


class Derived(Protocol):
    """Something that is derived of a place."""

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that it takes, about."""
        ...

    def let_go(self, size_bytes: int) -> None:
        """Hold no more than that, if it can."""
        ...


Where = TypeVar("Where", bound=Place)
Value = TypeVar("Value", bound=Derived)


class Held(Generic[Where, Value]):
    """Values by place; the one that was asked for longest ago goes first. Thread-safe.

    `make`: a value of which nothing is known yet, for a place and its feed. `held_bytes`: maximum between questions.
    """

    def __init__(
        self, make: Callable[[Where, ChangeFeed], Value], positions: AppliedPositions, changed_runs: ChangedRuns,
        held_bytes: int,
    ) -> None:  # fmt: skip
        self._make = make
        self._positions = positions
        self._changed_runs = changed_runs
        self._held_bytes = held_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Where, tuple[Value, ChangeFeed, threading.Lock]] = OrderedDict()

    @property
    def held_bytes(self) -> int:
        """Maximum that is held between questions."""
        return self._held_bytes

    def peek(self, place: Where) -> Value | None:
        """The value of a place as it is held, if it is; it may be changed meanwhile."""
        with self._lock:
            entry = self._entries.get(place)
        return None if entry is None else entry[0]

    @contextmanager
    def of(self, place: Where) -> Iterator[Value]:
        """The value of a place, for one question; its feed has advanced. TimedOut when another one takes too long."""
        with self._lock:
            entry = self._entries.get(place)
            if entry is None:
                feed = ChangeFeed(place, self._positions, self._changed_runs)
                entry = self._entries[place] = self._make(place, feed), feed, threading.Lock()
            self._entries.move_to_end(place)
        value, feed, lock = entry
        if not lock.acquire(timeout=seconds_left()):
            raise TimedOut("another question reads the same runs")
        try:
            feed.advance()
            yield value
        finally:
            lock.release()
            self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            sizes = {place: value.size_bytes for place, (value, _, _) in self._entries.items()}
            total = sum(sizes.values())
            for place, size in sizes.items():
                if total <= self.held_bytes:
                    break
                if size < total:
                    del self._entries[place]
                    total -= size
                    continue
                # Of the last one, what all of it is made from may be more than may be held.
                value, _, lock = self._entries[place]
                if lock.acquire(blocking=False):
                    value.let_go(self.held_bytes)
                    if value.size_bytes > self.held_bytes:
                        del self._entries[place]
                    lock.release()
                total = 0
