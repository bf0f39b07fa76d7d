"""Events of a run in batches, each of a writer whose id is a digest of the batch and of its place in the run.

So who sends a batch again, whenever and from wherever, sends the same events of the same writer, which change nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from fleetlog_proto.v1 import event_pb2

from fleetlog._events.items import Fact, Writer
from fleetlog.importers.run_facts import PreparedRun, reopening_event

BATCH_BYTES = 2_000_000


class RunBatches:
    """Gathers the events of one run, in order."""

    def __init__(self, run: PreparedRun, namespace: str, experiment: str, experiment_id: int) -> None:
        self._run = run
        self._namespace = namespace
        self._experiment = experiment
        self._experiment_id = experiment_id
        self._events: list[event_pb2.Event] = []
        self._bytes = 0
        self._place = ""

    def add(self, events: Iterator[event_pb2.Event] | Sequence[event_pb2.Event], place: str) -> None:
        """Take events. `place`: what is before them in the run, as nothing else is of it."""
        for event in events:
            if not self._events:
                self._place = place
                if not event.HasField("run_started"):
                    self._put(reopening_event(self._run, self._experiment_id))
            self._put(event)

    @property
    def is_full(self) -> bool:
        """True if they are to be taken."""
        return self._bytes >= BATCH_BYTES

    def take(self) -> tuple[Writer, list[Fact]] | None:
        """Returns the batch, and begins the next one; None when there is nothing."""
        events, self._events, self._bytes = self._events, [], 0
        if not events:
            return None
        digest = hashlib.blake2b(f"{self._run.run_id.hex()}/{self._place}/".encode(), digest_size=16)
        for event in events:
            digest.update(event.SerializeToString(deterministic=True))
        writer = Writer(
            self._namespace, self._run.run_id, digest.digest(), None, self._experiment, None, self._experiment_id
        )
        return writer, [Fact(writer, event) for event in events]

    def _put(self, event: event_pb2.Event) -> None:
        self._events.append(event)
        self._bytes += event.ByteSize()
