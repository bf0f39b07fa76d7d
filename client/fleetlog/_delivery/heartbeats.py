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
"""Seconds without an event of a writer after which its heartbeat is sent."""
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

    def begin(self, writer: Writer) -> None:
        """The writer lives from now on."""
        with self._lock:
            self._told[writer] = self._clock()
            self._due = min(self._due, self._clock() + self._quiet_seconds)

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
        """Another server may be there."""
        self._refused = False

    def due(self) -> list[Writer]:
        """The writers to tell of now; not again before they have been quiet for as long once more."""
        if self._refused or self._clock() < self._due:
            return []
        with self._lock:
            now = self._clock()
            found = [writer for writer, told in self._told.items() if now - told >= self._quiet_seconds]
            del found[MOST_WRITERS:]
            for writer in found:
                self._told[writer] = now
            self._due = min(self._told.values(), default=float("inf")) + self._quiet_seconds
        return found


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
