"""What was logged and is not framed yet: bounded, in order, cheap to put into.

This is the place of a journal on disk: whatever stands between `put` and `take` decides what outlives the process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetlog_proto.v1 import event_pb2

MAX_POINTS = 5_000_000


@dataclass(eq=False)
class Writer:
    """One process writing to one run: who it is, and the next sequence. Touched by the sender once it runs."""

    namespace: str
    run_id: bytes
    writer_id: bytes
    rank: int | None
    experiment: str
    started: event_pb2.RunStarted
    experiment_id: int | None = None
    next_sequence: int = 1
    lost_points: int = 0
    lost_events: int = 0
    aside: bool = False
    """True when the server refused the run as a whole: nothing more of it is sent."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step: values by key. Times are Unix milliseconds."""

    writer: Writer
    keys: tuple[str, ...]
    values: Sequence[float]
    step: int
    time_millis: int

    @property
    def points(self) -> int:
        """How many points."""
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of one series. Numpy arrays or lists; times may be None (all at `time_millis`)."""

    writer: Writer
    key: str
    steps: Any
    values: Any
    times: Any
    time_millis: int

    @property
    def points(self) -> int:
        """How many points."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Fact:
    """Any other event, without its sequence."""

    writer: Writer
    event: event_pb2.Event
    points: int = 1


@dataclass(eq=False)
class Marker:
    """Set when everything that was put before it is durable or set aside."""

    reached: threading.Event = field(default_factory=threading.Event)
    points: int = 0


Item = Row | Slice | Fact | Marker


class Outbox:
    """A bounded queue of items. What does not fit is counted at its writer and not taken."""

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._items: deque[Item] = deque()
        self._condition = threading.Condition()
        self._max_points = max_points
        self._points = 0
        self._waiting = False

    def put(self, item: Item) -> bool:
        """Take the item; False when the outbox is full."""
        with self._condition:
            # Facts are few and hold the life cycle: they always fit.
            if self._points > self._max_points and not isinstance(item, (Marker, Fact)):
                return False
            self._points += item.points
            self._items.append(item)
            if self._waiting:
                self._waiting = False
                self._condition.notify_all()
        return True

    def take(self, max_points: int) -> list[Item]:
        """The oldest items, up to about `max_points`; maybe none."""
        taken: list[Item] = []
        points = 0
        with self._condition:
            items = self._items
            while items and points < max_points:
                item = items.popleft()
                points += item.points
                taken.append(item)
            self._points -= points
        return taken

    def wait(self, timeout_seconds: float) -> None:
        """Until there is something, `wake`, or the timeout."""
        with self._condition:
            if not self._items:
                self._waiting = True
                self._condition.wait(timeout_seconds)

    def wake(self) -> None:
        """End a wait."""
        with self._condition:
            self._condition.notify_all()

    @property
    def points(self) -> int:
        """Points that wait."""
        return self._points
