"""What was logged and is not framed yet: bounded, in order, cheap to put into.

What does not fit is not taken, and a Loss in the queue says so: there is one of a writer and a reason at most, which
grows until it is taken. So a run always learns what it lost, and being told costs no room.

What is taken is framed and written to the journal at once where there is one (`spool.py`); else it stays here for as
long as the stream can't send it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import repeat, starmap
from queue import Empty, SimpleQueue

from fleetlog_core.rules.losses import loss_reason

from fleetlog._events.items import Fact, Item, Loss, Marker, Row, Slice, Writer
from fleetlog._transport.threads import holds

MAX_BYTES = 512 * 1024 * 1024
"""Room for what waits, as it lies in memory: about 1.7 million steps of three metrics, or 20 million bulk points."""
TAKE_BYTES = 64 * 1024 * 1024
STALL_SECONDS = 5.0
"""Nothing leaves for so long: the server is away, and waiting for room is over until something leaves again."""
BUFFER_FULL = "BUFFER_FULL"


class Outbox:
    """A bounded queue of items. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES, stall_seconds: float = STALL_SECONDS) -> None:
        self._items: deque[Item] = deque()
        self._taken: list[Item] = []
        """Items at the front, as long as it is not settled what became of them."""
        self._lock = threading.RLock()
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._room = threading.Condition(self._lock)
        self._losses: dict[tuple[bytes, bytes, str], Loss] = {}
        self._max_bytes = max_bytes
        self._stall_seconds = stall_seconds
        self._points = 0
        self._weight = 0
        self._takes = 0
        self._stalled = False
        self._waiting = False
        self._at_next_put: Callable[[], None] | None = None
        self._late: Callable[[Item], None] | None = None

    def put(self, item: Item, wait_seconds: float = 0.0) -> bool:
        """Take the item; False when there is no room, also after waiting for it, and the loss will be told."""
        with self._lock:
            weight = item.weight
            if self._weight > self._max_bytes and weight:
                if self._late is not None:
                    self._late(item)
                    return True
                if not self._has_room(item, wait_seconds):
                    return False
            self._points += item.points
            self._weight += weight
            self._items.append(item)
            call, woken = None, self._waiting
            if woken:
                self._waiting = False
                call, self._at_next_put = self._at_next_put, None
        # Outside of the lock: who wakes up needs it at once, and who begins to take here has locks of its own.
        if woken:
            self._woken.put(None)
        if call is not None:
            call()
        return True

    def _has_room(self, item: Row | Slice | Fact | Loss | Marker, wait_seconds: float) -> bool:
        if isinstance(item, (Loss, Marker)):
            return True
        if isinstance(item, Fact):
            # Facts are few and hold the life cycle: they have as much room again, for themselves.
            if self._weight <= 2 * self._max_bytes:
                return True
            self.lose(item.writer, BUFFER_FULL, events=1)
            return False
        if wait_seconds > 0 and self._room_within(wait_seconds):
            return True
        self.lose(item.writer, BUFFER_FULL, points=item.points)
        return False

    def _room_within(self, wait_seconds: float) -> bool:
        deadline = time.monotonic() + wait_seconds
        while self._weight > self._max_bytes:
            remaining = deadline - time.monotonic()
            if self._stalled or remaining <= 0:
                return False
            takes = self._takes
            self._room.wait(min(remaining, self._stall_seconds))
            self._stalled = takes == self._takes and remaining > self._stall_seconds
        return True

    def lose(self, writer: Writer, reason: str, points: int = 0, events: int = 0) -> None:
        """Have the run told of what it lost, together with what it loses for this reason until that is sent."""
        with self._lock:
            reason = loss_reason(reason, writer.loss_reasons)
            name = (writer.run_id, writer.writer_id, reason)
            loss = self._losses.get(name)
            if loss is None:
                loss = self._losses[name] = Loss(writer, reason)
                self.put(loss)
            loss.lost_points += points
            loss.lost_events += events

    def take(self, max_points: int) -> list[Item]:
        """The oldest items, up to about `max_points` (any other item counts as one); maybe none.

        They come again, and are still here, until `settle`: nothing is lost by one who fails with them.
        """
        with self._lock:
            if not self._taken:
                weight, room = 0, max_points
                for item in self._items:
                    if room <= 0 or weight >= TAKE_BYTES:
                        break
                    self._taken.append(item)
                    room -= max(item.points, 1)
                    weight += item.weight
                for item in self._taken:
                    if isinstance(item, Loss):
                        # What is lost from now on is told by another one.
                        self._losses.pop((item.writer.run_id, item.writer.writer_id, item.reason), None)
            return self._taken

    def settle(self) -> None:
        """Let go of what was taken: it is elsewhere now."""
        with self._lock:
            taken = self._taken
            # Not a loop of Python's: an exception from another thread would come between its steps.
            deque(starmap(self._items.popleft, repeat((), len(taken))), maxlen=0)
            self._taken = []
            self._points -= sum([item.points for item in taken])
            self._weight -= sum([item.weight for item in taken])
            if taken:
                self._takes += 1
                self._stalled = False
                self._room.notify_all()

    def call_at_next_put(self, call: Callable[[], None]) -> None:
        """Call it once, when something is put: who takes here is gone."""
        with self._lock:
            self._at_next_put = call
            self._waiting = True

    def close(self, late: Callable[[Item], None]) -> None:
        """Take nothing more: what is still put is given to `late`."""
        with self._lock:
            self._late = late
            self._max_bytes = -1

    def wait(self, timeout_seconds: float) -> None:
        """Until there is something, `wake`, or the timeout; for one thread at a time."""
        with self._lock:
            if self._items:
                return
            self._waiting = True
        with suppress(Empty):
            self._woken.get(timeout=timeout_seconds)

    def wake(self) -> None:
        """End a wait."""
        self._woken.put(None)

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a change of it, and nobody else can take anything."""
        return holds(self._lock)

    @property
    def points(self) -> int:
        """Points that wait."""
        return self._points

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    @property
    def full(self) -> bool:
        """Whether rows and slices find no room now."""
        return self._weight > self._max_bytes
