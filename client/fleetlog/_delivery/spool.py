"""From the outbox into flight: what was logged is framed, written to the journal, and then waits for the stream.

With a journal that takes it, this is done as soon as something was logged, whether or not a server is there. Without
one, what the stream can't send yet stays in the outbox, which has the larger room.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from fleetlog_proto.v1 import frame_pb2

from fleetlog._delivery.account import Account
from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.sent import Sent
from fleetlog._events.framing import FRAME_POINTS, Framer
from fleetlog._events.grouping import by_writer
from fleetlog._events.items import Marker, Writer
from fleetlog._journal.journal import Journal
from fleetlog._journal.records import Answered, LoggedFrame
from fleetlog._journal.segments import Place
from fleetlog.errors import FailedPrecondition

FRAME_INTERVAL_SECONDS = 0.02
"""Under load frames are this far apart, so that they are large; a lone event goes at once."""
IDLE_SECONDS = 10.0
DRAIN_SECONDS = 2.0
"""Longest wait of a process that ends for a thread that is at the disk."""


class Spool:
    """One delivery's. Its thread runs `run`; `drain` does the same at once, in any thread."""

    def __init__(
        self, outbox: Outbox, in_flight: InFlight, changed: threading.Condition, account: Account,
        journal: Journal | None, heartbeats: Heartbeats,
    ) -> None:  # fmt: skip
        self._heartbeats = heartbeats
        self._outbox = outbox
        self._in_flight = in_flight
        self._changed = changed
        self._account = account
        self._journal = journal
        self._told: set[tuple[Writer, str]] = set()
        self._ended = threading.Event()
        self.framer = Framer()
        # Reentrant: a signal may end the process amid a flush, by another one.
        self.framing = threading.RLock()
        """Held while items are between the outbox and flight."""

    def run(self, is_over: Callable[[], bool]) -> None:
        """Frame what is put, until it is over, which `end` tells."""
        while not is_over():
            self._outbox.wait(IDLE_SECONDS)
            if not self._outbox.empty and not self._has_room():
                with self._changed:
                    self._changed.wait_for(lambda: is_over() or self._has_room(), 1.0)
            elif self._frame():
                self._ended.wait(FRAME_INTERVAL_SECONDS)

    def end(self) -> None:
        """It is over: whoever waits looks again."""
        self._ended.set()
        self._outbox.wake()

    def drain(self) -> bool:
        """Frame everything that was put, as far as there is room; True if that is all of it."""
        if not self.framing.acquire(timeout=DRAIN_SECONDS):
            return False
        try:
            while not self._outbox.empty and self._has_room():
                self._frame()
            return self._outbox.empty
        finally:
            self.framing.release()

    def flush(self, pending: Callable[[], str]) -> None:
        """Have everything that was put, and has no answer, on this machine's disk. FailedPrecondition: it can't be.

        `pending` says what has no answer, in words.
        """
        framed = self.drain()
        if self._journal is None:
            raise FailedPrecondition(
                "JOURNAL_OFF",
                "this process keeps no journal: set FLEETLOG_JOURNAL to a folder, or give level='durable'",
            )
        self._journal.flush()
        if not framed or self._in_flight.unjournaled:
            raise FailedPrecondition(
                self._journal.problem or "JOURNAL_UNWRITABLE",
                f"{pending() or 'the last events'} are not all in the journal, which could not be written;"
                " level='durable' waits for the server instead",
            )

    @property
    def is_kept(self) -> bool:
        """True if all events that have no answer are in the journal, from which `fleetlog sync` delivers them."""
        return self._journal is not None and self._outbox.empty and not self._in_flight.unjournaled

    def forget(self, frames: Sequence[Sent]) -> None:
        """These have their answers."""
        if self._journal is not None:
            last = {(sent.writer.run_id, sent.writer.writer_id): sent.frame.events[-1].sequence for sent in frames}
            answers = [Answered(*names, sequence) for names, sequence in last.items()]
            self._journal.answered(answers, self._in_flight.low)

    def note_experiment(self, namespace: str, name: str, number: int) -> None:
        """The number of an experiment that frames lack is known by now."""
        if self._journal is not None:
            self._journal.note_experiment(namespace, name, number)

    def _has_room(self) -> bool:
        if self._in_flight.wants_more:
            return True
        return self._journal is not None and self._in_flight.has_memory and self._journal.is_ready()

    def _frame(self) -> bool:
        """Frame the oldest items; they are in flight from then on. False when there was none."""
        # Two that take items side by side would lose their order.
        with self.framing:
            items = self._outbox.take(FRAME_POINTS)
            if items:
                sequences = {item.writer: item.writer.next_sequence for item in items if not isinstance(item, Marker)}
                lacking = frozenset(writer for writer in sequences if self._in_flight.holds(writer))
                try:
                    made = self.framer.all_frames(list(by_writer(items)), self._account.not_framed)
                    self._in_flight.extend(made, self._journaled(made, lacking), lacking)
                    self._heartbeats.wrote(sequences)
                except BaseException:
                    # They are framed again, as what they were: the journal may have them.
                    for writer, sequence in sequences.items():
                        writer.next_sequence = sequence
                    raise
            self._outbox.settle()
        return bool(items)

    def _journaled(
        self, made: Sequence[tuple[Writer, frame_pb2.Frame] | Marker], lacking: frozenset[Writer]
    ) -> Place | None:
        """Where the journal has the frames; None when it does not."""
        frames = [one for one in made if not isinstance(one, Marker)]
        if self._journal is None or not frames:
            return None
        place = self._journal.append(
            [
                LoggedFrame(writer.experiment if writer in lacking else "", frame.SerializeToString())
                for writer, frame in frames
            ],
            self._in_flight.next_serial,
        )
        if place is None and (reason := self._journal.problem):
            for writer in dict.fromkeys(writer for writer, _ in frames):
                self._tell(writer, reason)
        return place

    def _tell(self, writer: Writer, reason: str) -> None:
        """Have the run told, once, that its events are in memory alone."""
        if (writer, reason) not in self._told:
            self._told.add((writer, reason))
            self._outbox.lose(writer, reason)
