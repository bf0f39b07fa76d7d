"""The threads of a delivery: daemons, each begun again when something ended it.

fleetlog-spool      frames what was put
fleetlog-sync       has the journal's files synced
fleetlog-delivery   owns the stream and reads its responses; gRPC pulls frames in a thread of its own
fleetlog-watch      breaks a stream that is silent, and begins what is not alive
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.spool import Spool
from fleetlog._delivery.streams import Streams
from fleetlog._journal.journal import Journal
from fleetlog._transport.threads import THREADS_AT_EXIT, holds, is_alive, started

SYNC_SECONDS = 0.5
"""Time from the first frame that the disk does not have until it has."""
IDLE_SYNC_SECONDS = 60.0
SPOOL_PAUSE_SECONDS = 0.1
"""Time until framing that failed is tried again."""


class DeliveryThreads:
    """Threads of one delivery. `streams`: None where no server is tried. `begin_more` begins those of other parts."""

    def __init__(
        self, outbox: Outbox, spool: Spool, journal: Journal | None, streams: Streams | None, silence_seconds: float,
        warn: Callable[[str, str], None], begin_more: Callable[[], None],
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._spool = spool
        self._journal = journal
        self._streams = streams
        self._silence_seconds = silence_seconds
        self._warn = warn
        self._begin_more = begin_more
        self._ended = threading.Event()
        self._start = threading.RLock()
        self._spooler: threading.Thread | None = None
        self._syncer: threading.Thread | None = None
        self._deliverer: threading.Thread | None = None
        self._watcher: threading.Thread | None = None

    @property
    def have_begun(self) -> bool:
        """True if there was a stream, or is to be one soon."""
        return self._deliverer is not None

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a start of them."""
        return holds(self._start)

    def begin(self) -> None:
        """Start those that are not alive: whatever ended them, nothing is sent without them."""
        with self._start:
            if self._ended.is_set():
                return
            try:
                if not is_alive(self._spooler):
                    self._spooler = started("fleetlog-spool", self._spool_all)
                if self._journal is not None and not is_alive(self._syncer):
                    self._syncer = started("fleetlog-sync", self._sync_all)
                if self._streams is None:
                    return
                if not is_alive(self._deliverer):
                    self._deliverer = started("fleetlog-delivery", self._deliver)
                    if not THREADS_AT_EXIT:
                        self._streams.wait_for_first()
                if not is_alive(self._watcher):
                    self._watcher = started("fleetlog-watch", self._watch)
                self._begin_more()
            except RuntimeError as error:
                self._warn("thread", f"not delivered yet, no thread can be started: {error}")
                self._outbox.call_at_next_put(self.begin)

    def end(self) -> None:
        """None begins any more; those that are there end soon."""
        self._ended.set()

    def wait_for_delivery(self, timeout_seconds: float) -> None:
        """Until the delivery thread has ended, or the time is over."""
        if self._deliverer is not None:
            self._deliverer.join(timeout_seconds)

    def _spool_all(self) -> None:
        try:
            while not self._ended.is_set():
                try:
                    self._spool.run(self._ended.is_set)
                except Exception as error:  # whatever it is: nothing was taken that is not framed, so go on
                    self._warn("spool", f"not delivered yet, trying again: {error!r}")
                    self._ended.wait(SPOOL_PAUSE_SECONDS)
        except BaseException as error:
            self._warn("thread", f"framing ended by {error!r}; it begins again with what is logged next")
            self._outbox.call_at_next_put(self.begin)

    def _sync_all(self) -> None:
        journal = self._journal
        try:
            while journal is not None and not self._ended.is_set():
                if journal.wait_unsynced(IDLE_SYNC_SECONDS):
                    # Until then it may have its answer, and need no disk.
                    self._ended.wait(SYNC_SECONDS)
                    with suppress(OSError):
                        journal.sync()
        except BaseException as error:
            self._warn("sync", f"syncing the journal ended by {error!r}; it begins again soon")

    def _deliver(self) -> None:
        try:
            if self._streams is not None:
                self._streams.run()
        except BaseException as error:
            self._warn("thread", f"the delivery ended by {error!r}; it begins again with what is logged next")
            self._outbox.call_at_next_put(self.begin)

    def _watch(self) -> None:
        """Also begins the delivery again, should nothing be logged any more that would."""
        try:
            while not self._ended.wait(self._silence_seconds / 4):
                if self._streams is not None:
                    self._streams.break_silent(self._silence_seconds)
                self.begin()
        except BaseException as error:
            self._warn("watch", f"the watch over the delivery ended by {error!r}; it begins again with the next flush")
