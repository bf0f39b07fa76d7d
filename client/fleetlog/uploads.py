"""Files that could not be sent at once: tried again in the background until the server takes them.

waiting ──server takes it──▶ its event is in the outbox
   │  └─ no answer: again, later; the file is read again each time
   └─ gone, or refused ──▶ counted, warned about and told to the run
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleetlog.artifacts import artifact_event
from fleetlog.connection import Connection
from fleetlog.errors import RETRY, FleetlogError
from fleetlog.outbox import Fact, Outbox, Writer

MAX_WAITING = 10_000
"""Files that wait at the most; each costs its path alone."""
PAUSE_SECONDS = (0.2, 10.0)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a run, and the path it is kept under."""

    writer: Writer
    path: Path
    name: str
    follow_link: bool = True


class Uploads:
    """The uploads of one delivery that wait. Its thread runs while there are some."""

    def __init__(self, connection: Connection, outbox: Outbox, warn: Callable[[str, str], None]) -> None:
        self._connection = connection
        self._outbox = outbox
        self._warn = warn
        self._waiting: deque[Upload] = deque()
        self._changed = threading.Condition()
        self._running = False
        self._closed = False

    def add(self, upload: Upload) -> None:
        """Upload the file as soon as that is possible."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING or self._closed:
                self._lost(upload, "UPLOADS_FULL", f"{len(self._waiting):,} others wait")
                return
            self._waiting.append(upload)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="fleetlog-uploads", daemon=True).start()

    @property
    def names(self) -> list[str]:
        """What waits, oldest first."""
        with self._changed:
            return [upload.name for upload in self._waiting]

    @property
    def has_room(self) -> bool:
        """Whether one more may wait."""
        with self._changed:
            return len(self._waiting) < MAX_WAITING and not self._closed

    def wait(self, timeout_seconds: float) -> bool:
        """Until nothing waits; False when the time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting or self._closed, timeout_seconds)

    def close(self) -> None:
        """Try no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        low, high = PAUSE_SECONDS
        pause = low
        while True:
            with self._changed:
                if not self._waiting or self._closed:
                    self._running = False
                    return
                upload = self._waiting[0]
            if self._done(upload):
                pause = low
                with self._changed:
                    self._waiting.popleft()
                    self._changed.notify_all()
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(high, 2 * pause)

    def _done(self, upload: Upload) -> bool:
        """Whether there is nothing more to do for it."""
        now = time.time_ns() // 1_000_000
        try:
            event = artifact_event(
                self._connection, upload.writer, upload.path, upload.name, now, follow_link=upload.follow_link
            )
        except FleetlogError as error:
            if error.code in RETRY:
                return False
            self._lost(upload, error.reason, error.message)
            return True
        except Exception as error:  # whatever a file system says: this file is lost, the others go on
            self._lost(upload, "FILE_UNREADABLE", str(error))
            return True
        content = len(event.artifact_logged.content)
        if content and self._outbox.full:
            return False
        self._outbox.put(Fact(upload.writer, event, content + 600))
        return True

    def _lost(self, upload: Upload, reason: str, why: str) -> None:
        self._outbox.lose(upload.writer, reason, events=1)
        self._warn("upload", f"artifact {upload.name} of run {upload.writer.run_id.hex()} is lost: {why}")
