"""Work that waits for a place, by whom it is for: none who asks for much keeps others waiting. Pure.

The next one is that of the client who has the least under way; among equals, of the one that was served longest ago.
The work of one client keeps its order.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """See the module. For one thread at a time."""

    def __init__(self, share: int) -> None:
        """`share`: what one client may have under way at the most."""
        self._share = share
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        """By client, the one that was served longest ago first."""
        self._under_way: Counter[str] = Counter()

    def put(self, client: str, item: T) -> None:
        """Something more waits."""
        self._waiting.setdefault(client, deque()).append(item)

    def take(self) -> tuple[str, T] | None:
        """What is next, which is under way then; None: nothing may begin now. `done` is due after it."""
        able = [client for client in self._waiting if self._under_way[client] < self._share]
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

    def done(self, client: str) -> None:
        """Something of the client is under way no more."""
        self._under_way[client] -= 1
        if not self._under_way[client]:
            del self._under_way[client]
