"""A bound on what calls under way hold of something: bytes of memory, threads.

    share       what one call holds
    client      a caller, or a connection; it has a bound of its own
    room        amounts that may be held beyond those that are

Of calls that wait, that of the client that holds least goes first: one that asks for much keeps no other one waiting.

A call waits for room before it begins, and then keeps what it has until it ends: calls that hold something never wait
for each other. A call of a slow client is ended when others wait for what it holds, and not before.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.serving.pace import Pace

RETRY_SECONDS = 2.0
LOOK_SECONDS = 0.5
"""Seconds between two looks for slow clients while somebody waits."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of it may be held, and the words for a client that is over it."""

    process: int
    """Amount that all calls of the process hold together."""
    client: int
    """Amount that the calls of one client hold together."""
    busy: str
    """Reason of the error when there was no room in time, SCREAMING_SNAKE."""
    slow: str
    """Reason of the error when a call ends because its client is slow."""
    what: str
    """What is held, for messages: "answers that are being read"."""
    reserve: int = 0
    """Amount beyond the process's bound, for calls of clients that hold nothing."""
    wait_seconds: float = 20.0
    """Seconds that a call waits for room, if its deadline is not sooner."""


@dataclass(eq=False, slots=True)
class Share:
    """What one call holds. For one event loop, but for `held`."""

    client: str
    held: int
    pace: Pace = field(default_factory=Pace)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the call must end: its client is slow, and others wait."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A call that waits for room."""

    client: str
    amount: int


class Budget:
    """Shares of all calls of one kind. For one event loop."""

    def __init__(
        self,
        bounds: Bounds,
        told: Callable[[str], None] = lambda reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`told` is called with the reason whenever the bound engages."""
        self._bounds = bounds
        self._told = told
        self._clock = clock
        self._shares: set[Share] = set()
        self._of_clients: Counter[str] = Counter()
        self._held = 0
        self._queue: list[_Waiting] = []
        """Calls that wait, in the order in which they came."""
        self._changed = asyncio.Event()

    @property
    def held(self) -> int:
        """Amount that is held by all calls together."""
        return self._held

    @property
    def waiting(self) -> int:
        """Calls that wait for room."""
        return len(self._queue)

    async def enter(self, client: str, amount: int, timeout_seconds: float | None, pace: Pace | None = None) -> Share:
        """A share of this amount, once there is room. ResourceExhausted with RetryInfo when there is none in time.

        `timeout_seconds`: until the caller's deadline, None = it has none. `pace`: how fast its client was so far.
        """
        one = _Waiting(client, amount)
        if not self._is_next(one):
            await self._wait(one, timeout_seconds)
        share = Share(client, amount, pace or Pace())
        self._shares.add(share)
        self._of_clients[client] += amount
        self._held += amount
        return share

    def hold(self, share: Share, amount: int) -> None:
        """The call holds another amount from now on."""
        if share not in self._shares:
            return
        self._held += amount - share.held
        self._of_clients[share.client] += amount - share.held
        less, share.held = amount < share.held, amount
        if less:
            self._changed.set()

    def leave(self, share: Share) -> None:
        """The call ended. Idempotent."""
        if share not in self._shares:
            return
        self.hold(share, 0)
        self._shares.discard(share)
        if not self._of_clients[share.client]:
            del self._of_clients[share.client]

    def too_slow(self) -> ResourceExhausted:
        """The error of a call that was ended for others."""
        bounds = self._bounds
        return ResourceExhausted(
            bounds.slow,
            f"others wait for the room that {bounds.what} take, and this one hardly moved for some seconds; go on with"
            " it faster, or later",
            retry_after_seconds=RETRY_SECONDS,
        )

    async def _wait(self, one: _Waiting, timeout_seconds: float | None) -> None:
        seconds = self._bounds.wait_seconds
        deadline = self._clock() + (seconds if timeout_seconds is None else min(seconds, timeout_seconds))
        self._queue.append(one)
        try:
            while not self._is_next(one):
                self._changed.clear()
                self._end_slow(one.client, one.amount)
                rest = deadline - self._clock()
                if rest <= 0:
                    self._told(self._bounds.busy)
                    raise self._busy()
                try:
                    async with asyncio.timeout(min(rest, LOOK_SECONDS)):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            self._queue.remove(one)
            # Another one may be next now.
            self._changed.set()

    def _is_next(self, one: _Waiting) -> bool:
        """Whether there is room for the call, and nobody before it for whom there may soon be."""
        if not (self._fits_client(one) and self._fits_process(one)):
            return False
        mine = self._of_clients.get(one.client, 0)
        is_earlier = True
        for other in self._queue:
            if other is one:
                is_earlier = False
                continue
            theirs = self._of_clients.get(other.client, 0)
            if (theirs < mine or (theirs == mine and is_earlier)) and self._fits_client(other):
                return False
        return True

    def _fits_client(self, one: _Waiting) -> bool:
        """A call that is larger than a bound may begin alone."""
        held = self._of_clients.get(one.client, 0)
        return held == 0 or held + one.amount <= self._bounds.client

    def _fits_process(self, one: _Waiting) -> bool:
        reserve = 0 if self._of_clients.get(one.client, 0) else self._bounds.reserve
        return self._held == 0 or self._held + one.amount <= self._bounds.process + reserve

    def _end_slow(self, client: str, amount: int) -> None:
        """End the largest of the slow calls that stand in the way, unless one is ending already."""
        of_client = self._of_clients.get(client, -amount) + amount > self._bounds.client
        in_the_way = [share for share in self._shares if share.held and (not of_client or share.client == client)]
        if any(share.ended.is_set() for share in in_the_way):
            return
        now = self._clock()
        slow = [share for share in in_the_way if share.pace.is_slow(now)]
        if slow:
            self._told(self._bounds.slow)
            max(slow, key=lambda share: share.held).ended.set()

    def _busy(self) -> ResourceExhausted:
        bounds = self._bounds
        return ResourceExhausted(
            bounds.busy,
            f"{bounds.what} hold {self._held:,} of {bounds.process:,}, at most {bounds.client:,} for one client;"
            " end some, or ask again later",
            retry_after_seconds=RETRY_SECONDS,
        )
