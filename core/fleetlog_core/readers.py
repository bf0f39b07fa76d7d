"""Who reads what is applied, and how urgently.

The services of a process tell it, the materializer of the same process asks: small batches cost much, and can rest
while nobody reads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

LOOKED_SECONDS = 5.0
"""Seconds after a read in which another one is expected: programs and pages that poll."""
AWAITED_SECONDS = 2.0
"""Seconds for which one that waits for a position is urgent. One that waits for longer waits for something else than
that a batch begins."""


class Demand(IntEnum):
    """How urgently somebody wants what is in the log to be applied."""

    NONE = 0
    """Nobody reads."""
    READ = 1
    """Somebody reads now and then, or follows what changes."""
    AWAITED = 2
    """Somebody waits for something that was written."""


class Readers:
    """The reads of a process. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._following = 0
        self._waited_at = self._looked_at = float("-inf")
        self._rose: Callable[[], None] = lambda: None

    def call_at_rise(self, call: Callable[[], None]) -> None:
        """Call it, from whatever thread reads, when the demand rises. It must not block."""
        self._rose = call

    def demand(self) -> Demand:
        """The most urgent demand now."""
        with self._lock:
            return self._demand()

    def looked(self) -> None:
        """Somebody read what there is."""
        with self._change():
            self._looked_at = self._clock()

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Somebody waits for a position meanwhile."""
        with self._change():
            self._waiting += 1
            self._waited_at = self._looked_at = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    @contextmanager
    def follows(self) -> Iterator[None]:
        """Somebody wants to be told of whatever is applied meanwhile."""
        with self._change():
            self._following += 1
        try:
            yield
        finally:
            with self._lock:
                self._following -= 1

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            before = self._demand()
            yield
            risen = self._demand() > before
        if risen:
            self._rose()

    def _demand(self) -> Demand:
        now = self._clock()
        if self._waiting and now - self._waited_at < AWAITED_SECONDS:
            return Demand.AWAITED
        if self._waiting or self._following or now - self._looked_at < LOOKED_SECONDS:
            return Demand.READ
        return Demand.NONE
