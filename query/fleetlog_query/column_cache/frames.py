"""The frames that are held: those of the scopes asked for last, as long as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from fleetlog_core.warehouse.port import TimedOut

from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.column_cache.columns import Source
from fleetlog_query.column_cache.frame import Frame
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.cancellable import seconds_left


class Frames:
    """Thread-safe.

    `held_bytes`: maximum between questions; 1,000,000 runs take 38 MB, and each column of them 4 or 8 MB.
    """

    def __init__(self, positions: AppliedPositions, changed_runs: ChangedRuns, held_bytes: int) -> None:
        self._positions = positions
        self._changed_runs = changed_runs
        self._lock = threading.Lock()
        self._held: OrderedDict[Scope, Frame] = OrderedDict()
        self._held_bytes = held_bytes

    @property
    def held_bytes(self) -> int:
        """Maximum that is held between questions."""
        return self._held_bytes

    def holds(self, scope: Scope, source: Source) -> bool:
        """True if the column of a scope was read before, and is held still."""
        with self._lock:
            frame = self._held.get(scope)
        return frame is not None and frame.holds(source)

    @contextmanager
    def of(self, scope: Scope) -> Iterator[Frame]:
        """The frame of a scope of whole experiments, for one question. TimedOut when another one takes too long."""
        if scope.as_of is not None:
            # What was is read once, and is not what will be asked next.
            yield Frame(scope)
            return
        with self._lock:
            frame = self._held.get(scope) or Frame(scope, ChangeFeed(scope, self._positions, self._changed_runs))
            self._held[scope] = frame
            self._held.move_to_end(scope)
        if not frame.lock.acquire(timeout=seconds_left()):
            raise TimedOut("another question reads the same runs")
        try:
            frame.look()
            yield frame
        finally:
            frame.lock.release()
            self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            sizes = {scope: frame.size_bytes for scope, frame in self._held.items()}
            total = sum(sizes.values())
            for scope, size in sizes.items():
                if total <= self.held_bytes:
                    break
                if size < total:
                    del self._held[scope]
                    total -= size
                    continue
                # Of the last one, whose runs alone may be more than may be held.
                frame = self._held[scope]
                if frame.lock.acquire(blocking=False):
                    frame.let_go(self.held_bytes)
                    if frame.size_bytes > self.held_bytes:
                        del self._held[scope]
                    frame.lock.release()
                total = 0
