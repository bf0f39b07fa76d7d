"""Which writers of this process live and have sent nothing for a while: the server is told so, by a request of its own.

Nothing of it is journaled or waits for a server: it says what is true when it is sent.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from fleetlog_proto.v1 import ingest_pb2

from fleetlog._events.items import Writer

QUIET_SECONDS = 30.0
"""Seconds without an event of a writer after which its heartbeat is sent, to a server that says no other time."""
MOST_WRITERS = 10_000
"""Maximum of writers in a request."""


class Heartbeats:
    """The writers of one delivery. Thread-safe; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._clock = clock
        self._quiet_seconds = quiet_seconds
        self._lock = threading.RLock()
        self._told: dict[Writer, float] = {}
        """When each of them told something last."""
        self._due = float("inf")
        """When the first of them may be due."""
        self._refused = False
        self._has_begun = False
        """True if there was a stream."""
        self._allowed_seconds: int | None = None
        """The lowest time that the stream's server said."""

    def begin(self, writer: Writer) -> None:
        """The writer lives from now on."""
        with self._lock:
            self._told[writer] = self._clock()
            self._due = min(self._due, self._clock() + self._quiet_now)

    def end(self, writer: Writer) -> None:
        """The writer ended: nothing is told of it any more."""
        with self._lock:
            self._told.pop(writer, None)

    def wrote(self, writers: Iterable[Writer]) -> None:
        """Events of these are on their way, which tell more than a heartbeat."""
        with self._lock:
            now = self._clock()
            for writer in writers:
                if writer in self._told:
                    self._told[writer] = now

    def refused(self) -> None:
        """The stream's server knows no heartbeats."""
        self._refused = True

    def stream_began(self) -> None:
        """Another server may be there: it is told at once who lives, since the one before may have died untold."""
        with self._lock:
            self._refused, self._allowed_seconds = False, None
            if self._has_begun:
                self._told = dict.fromkeys(self._told, float("-inf"))
                self._due = float("-inf")
            self._has_begun = True

    def may_be_quiet(self, seconds: int) -> None:
        """The stream's server says for how long a writer may send nothing; 0 = it says nothing of it."""
        if not seconds or (self._allowed_seconds is not None and seconds >= self._allowed_seconds):
            return
        with self._lock:
            self._allowed_seconds = seconds
            self._due = min(self._told.values(), default=float("inf")) + seconds

    def due(self) -> list[Writer]:
        """The writers to tell of now; not again before they have been quiet for as long once more."""
        if self._refused or self._clock() < self._due:
            return []
        with self._lock:
            now = self._clock()
            quiet = self._quiet_now
            found = [writer for writer, told in self._told.items() if now - told >= quiet]
            del found[MOST_WRITERS:]
            for writer in found:
                self._told[writer] = now
            self._due = min(self._told.values(), default=float("inf")) + quiet
        return found

    @property
    def _quiet_now(self) -> float:
        return self._quiet_seconds if self._allowed_seconds is None else self._allowed_seconds


def seconds_to_look(now: float) -> float:
    """Seconds until the next full one of the wall clock, when it is looked for heartbeats that are due.

    Writers of all machines speak at the same moments by that: a server that wakes up once for many of them has half the
    work (`python -m benchmarks heartbeats`).
    """
    return 1.0 - now % 1.0


def request_of(writers: Sequence[Writer]) -> ingest_pb2.AppendEventsRequest:
    """One request of these heartbeats."""
    by_namespace: defaultdict[str, list[Writer]] = defaultdict(list)
    for writer in writers:
        by_namespace[writer.namespace].append(writer)
    return ingest_pb2.AppendEventsRequest(
        heartbeats=[
            ingest_pb2.Heartbeats(
                namespace=namespace,
                run_ids=b"".join(writer.run_id for writer in some),
                writer_ids=b"".join(writer.writer_id for writer in some),
            )
            for namespace, some in by_namespace.items()
        ]
    )
