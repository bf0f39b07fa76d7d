"""A log that knows whether it takes writes."""

from __future__ import annotations

from concurrent.futures import Future

from fleetlog_core.log.port import EventLog, LogUnavailable, Record
from fleetlog_core.log.wrapped import WrappedLog
from fleetlog_core.outages import Outage

QUIET_SECONDS = 5.0
"""How long nothing has to fail before it is tried whether writes are taken again: nobody may want to write by then."""


class WatchedLog(WrappedLog):
    """See EventLog: the one that it is given. `writes` is an outage while appends fail."""

    def __init__(self, log: EventLog, writes: Outage) -> None:
        super().__init__(log)
        self._writes = writes

    def complaint(self) -> str:
        """Why no writes are taken; empty when they are. May write to find out, though no record. Blocks."""
        if self._writes.reason() and self._writes.quiet_seconds() >= QUIET_SECONDS:
            try:
                self.check_writable()
            except LogUnavailable as error:
                self._writes.failed(error)
            else:
                self._writes.ended()
        return self._writes.reason()

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        durable = self._log.append(topic, key, value, generation=generation)
        durable.add_done_callback(self._note)
        return durable

    def _note(self, durable: Future[Record]) -> None:
        error = durable.exception()
        if error is None:
            self._writes.ended()
        elif isinstance(error, LogUnavailable):
            self._writes.failed(error)
