"""Appends of one caller, in an order that failures do not change."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future

from fleetlog_core.log.port import BEHIND_FAILURE, EventLog, LogUnavailable, Record, RecordTooLarge


class Appender:
    """Appends to a log, and nothing more once one of them failed: begin anew with another one. For one thread.

    So what it appends with one key is durable in its order, up to the first that fails. A record that is too large is
    no failure: nothing of it was written, and its caller knows that it never will be.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._generation = log.generation()
        self._open: deque[Future[Record]] = deque()
        self._failed = False

    def append(self, topic: str, key: bytes, value: bytes) -> Future[Record]:
        """As EventLog.append. The future has failed on return when an append before it failed."""
        if self._failed or self._log.generation() != self._generation:
            self._look()
        if self._failed:
            behind: Future[Record] = Future()
            behind.set_exception(LogUnavailable(BEHIND_FAILURE))
            return behind
        pending = self._open
        while pending and pending[0].done():
            # As the generation is the same, none of them failed, unless it was too large.
            pending.popleft()
        done = self._log.append(topic, key, value, generation=self._generation)
        if not done.done():
            pending.append(done)
        elif isinstance(done.exception(), LogUnavailable):
            # Refused at once: what was not accepted raises no generation.
            self._failed = True
        return done

    def _look(self) -> None:
        """There was a failure. With nothing open then, it is none of its own."""
        generation = self._log.generation()
        while self._open and self._open[0].done():
            error = self._open.popleft().exception()
            if error is not None and not isinstance(error, RecordTooLarge):
                self._failed = True
        if not self._open:
            self._generation = generation
