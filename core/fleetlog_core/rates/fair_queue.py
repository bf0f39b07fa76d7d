"""Work that waits for a place, by whom it is for: none who asks for much keeps others waiting. Pure: the time is told.

The next one is that of the client who has the least under way; among equals, of the one that was served longest ago.
The work of one client keeps its order.

A client by itself may have its whole share under way. As soon as there are others, all that runs slows all the rest, so
what may be under way is divided by those who are there: whoever asks once finds room, and not only a turn.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

THERE_SECONDS = 1.0
"""Seconds for which a client is still there after the last of its work: who reads one thing after another is."""

T = TypeVar("T")


class FairQueue(Generic[T]):
    """See the module. For one thread at a time."""

    def __init__(self, share: int, places: int | None = None) -> None:
        """`share`: what one client may have under way at the most. `places`: what is divided by the clients that are
        there, each of which may have one under way whatever comes of it; None = it is not divided."""
        self._share = share
        self._places = places
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        """By client, the one that was served longest ago first."""
        self._under_way: Counter[str] = Counter()
        self._there: OrderedDict[str, float] = OrderedDict()
        """Time of each client's last work, the longest ago first."""

    def put(self, client: str, item: T, now: float) -> None:
        """Something more waits."""
        self._waiting.setdefault(client, deque()).append(item)
        self._note(client, now)

    def clients(self, now: float) -> int:
        """Number of clients that are there."""
        while self._there:
            client, seen = next(iter(self._there.items()))
            if now - seen < THERE_SECONDS:
                break
            if client in self._waiting or client in self._under_way:
                self._note(client, now)
            else:
                del self._there[client]
        return len(self._there)

    def share(self, now: float) -> int:
        """What one client may have under way now."""
        clients = self.clients(now)
        if self._places is None or clients < 2:
            return self._share
        return max(1, min(self._share, self._places // clients))

    def may_take(self, now: float) -> bool:
        """True if something may begin now."""
        share = self.share(now)
        return any(self._under_way[client] < share for client in self._waiting)

    def take(self, now: float) -> tuple[str, T] | None:
        """What is next, which is under way then; None: nothing may begin now. `done` is due after it."""
        share = self.share(now)
        able = [client for client in self._waiting if self._under_way[client] < share]
        if not able:
            return None
        client = min(able, key=lambda one: self._under_way[one])
        items = self._waiting[client]
        item = items.popleft()
        if items:
            self._waiting.move_to_end(client)
        else:
            del self._waiting[client]
        self._under_way[client] += 1
        return client, item

    def done(self, client: str, now: float) -> None:
        """Something of the client is under way no more."""
        self._under_way[client] -= 1
        if not self._under_way[client]:
            del self._under_way[client]
        self._note(client, now)

    def _note(self, client: str, now: float) -> None:
        self._there[client] = now
        self._there.move_to_end(client)
