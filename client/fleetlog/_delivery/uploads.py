"""Files that could not be sent at once: tried again in the background until the server takes them.

Where there is a journal, and room in it, a copy of each is in it meanwhile: then `fleetlog sync` uploads what is left.

waiting ──server takes it──▶ its event is in the outbox
   │  ├─ no answer: again, later; the file is read again each time
   │  └─ an error that is not known, or a shortage of this machine: behind the others, MAX_TRIES times
   └─ gone, or refused ──▶ counted, warned about and told to the run
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fleetlog_proto.v1 import frame_pb2

from fleetlog._delivery.outbox import Outbox
from fleetlog._events.items import Fact, Writer
from fleetlog._files.artifacts import artifact_event
from fleetlog._files.local_files import opened
from fleetlog._journal.journal import Journal
from fleetlog._journal.kept_files import AboutFile, KeptFile
from fleetlog._transport.connection import Connection
from fleetlog._transport.threads import holds, is_alive, started
from fleetlog.errors import FleetlogError, is_verdict

MAX_WAITING = 10_000
"""Files that wait at the most; each costs its path alone."""
MAX_TRIES = 10
"""Tries that end by an error that is not known, until the file is told as lost."""
PAUSE_SECONDS = (0.2, 10.0)
_OF_A_FILE = frozenset(
    {
        errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG,
        errno.EINVAL, errno.ENXIO, errno.ENODEV,
    }
)  # fmt: skip
_AWAY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED")
"""Codes of a server that is away, has no room, or wants another token: waited for without an end."""


def speaks_of_file(error: BaseException) -> bool:
    """True if the error says that this file, under this name, can't be kept. All else may be over soon."""
    if isinstance(error, FleetlogError):
        return is_verdict(error)
    if isinstance(error, OSError):
        return error.errno in _OF_A_FILE
    # A path that no file can have; or no path at all.
    return isinstance(error, (ValueError, TypeError))


@dataclass(slots=True)
class Upload:
    """A file of a run, and the path it is kept under."""

    writer: Writer
    path: Path
    name: str
    follow_link: bool = True
    is_ours: bool = False
    """True if the file was made for the upload alone: it is removed when there is nothing more to do for it."""
    kept: KeptFile | None = None
    """Its copy in the journal, which is what is uploaded."""
    tries: int = field(default=0, compare=False)
    """Tries that ended by an error that is not known."""

    def keep(self, journal: Journal, now_millis: int) -> bool:
        """Have the journal keep it as it is now; False: it has no room for it. FleetlogError, OSError: no such file."""
        writer = self.writer
        about = AboutFile(
            writer.namespace, writer.run_id.hex(), writer.writer_id.hex(),
            frame_pb2.Subject.Name(writer.subject), writer.rank, writer.experiment, writer.experiment_id, self.name,
            now_millis,
        )  # fmt: skip
        with opened(self.path, follow_link=self.follow_link) as file:
            size = file.size()
            kept = journal.keep_file(about, size, file.chunks(size))
        if kept is None:
            return False
        # What was made for the upload is not needed any more.
        self.over()
        self.kept, self.path, self.is_ours = kept, kept.path, False
        return True

    def over(self) -> None:
        """There is nothing more to do for it."""
        if self.kept is not None:
            with suppress(OSError):
                self.kept.remove()
        if self.is_ours:
            with suppress(OSError):
                self.path.unlink()


class Uploads:
    """The uploads of one delivery that wait. Its thread runs while there are some, and is begun again when it dies."""

    def __init__(
        self, connection: Connection, outbox: Outbox, warn: Callable[[str, str], None], *, offline: bool = False
    ) -> None:
        """Offline nothing is uploaded: all that waits is left."""
        self._offline = offline
        self._connection = connection
        self._outbox = outbox
        self._warn = warn
        self._waiting: deque[Upload] = deque()
        # Taken by itself: an exception from another thread may come amid a condition's `with`, and leave it taken.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a change of it."""
        return holds(self._lock)

    def add(self, upload: Upload) -> None:
        """Upload the file as soon as that is possible."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING or self._closed:
                self._lost(upload, "UPLOADS_FULL", f"{len(self._waiting):,} others wait")
                upload.over()
                return
            self._waiting.append(upload)
        try:
            self.begin()
        except RuntimeError as error:
            self._warn("upload", f"artifact {upload.name} waits, no thread can be started: {error}")

    def begin(self) -> None:
        """Start the thread, when something waits and it is not alive. RuntimeError: none can be started."""
        with self._lock:
            if self._waiting and not self._closed and not self._offline and not is_alive(self._thread):
                self._thread = started("fleetlog-uploads", self._run)

    @property
    def names(self) -> list[str]:
        """What waits, oldest first."""
        with self._lock:
            return [upload.name for upload in self._waiting]

    @property
    def not_kept(self) -> list[str]:
        """What waits and is not in a journal."""
        with self._lock:
            return [upload.name for upload in self._waiting if upload.kept is None]

    @property
    def has_room(self) -> bool:
        """Whether one more may wait."""
        with self._lock:
            return len(self._waiting) < MAX_WAITING and not self._closed

    def wait(self, timeout_seconds: float) -> bool:
        """Until nothing waits; False when the time ran out."""
        with self._lock:
            return self._changed.wait_for(lambda: not self._waiting or self._closed, timeout_seconds)

    def close(self) -> None:
        """Try no more."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        """The uploads thread. What it was at when it dies of something is the first that the next one tries."""
        try:
            self._upload_all()
        except BaseException as error:
            # It may have come amid a call.
            self._connection.abandon(None)
            self._warn("uploads", f"the uploads ended by {error!r}; they begin again soon")

    def _upload_all(self) -> None:
        low, high = PAUSE_SECONDS
        pause = low
        while True:
            with self._lock:
                if not self._waiting or self._closed:
                    self._thread = None
                    return
                upload = self._waiting[0]
            if self._done(upload):
                pause = low
                upload.over()
                with self._lock:
                    self._waiting.popleft()
                    self._changed.notify_all()
                continue
            with self._lock:
                if upload.tries:
                    self._waiting.rotate(-1)
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(high, 2 * pause)

    def _done(self, upload: Upload) -> bool:
        """Whether there is nothing more to do for it."""
        now = time.time_ns() // 1_000_000
        try:
            event = artifact_event(
                self._connection, upload.writer, upload.path, upload.name, now, follow_link=upload.follow_link
            )
            content = len(event.artifact_logged.content)
            if content and self._outbox.full:
                return False
            self._outbox.put(Fact(upload.writer, event, content + 600))
        except Exception as error:  # of this file, or of something that may be over soon
            return self._failed(upload, error)
        return True

    def _failed(self, upload: Upload, error: Exception) -> bool:
        reason = error.reason if isinstance(error, FleetlogError) else "FILE_UNREADABLE"
        if speaks_of_file(error):
            self._lost(upload, reason, str(error))
            return True
        if isinstance(error, FleetlogError) and error.code in _AWAY:
            return False
        upload.tries += 1
        if upload.tries < MAX_TRIES:
            self._warn("upload", f"artifact {upload.name} is not kept yet, trying again: {error!r}")
            return False
        self._lost(upload, reason, f"{upload.tries} tries ended by errors, the last one: {error!r}")
        return True

    def _lost(self, upload: Upload, reason: str, why: str) -> None:
        self._outbox.lose(upload.writer, reason, events=1)
        self._warn("upload", f"artifact {upload.name} of run {upload.writer.run_id.hex()} is lost: {why}")
