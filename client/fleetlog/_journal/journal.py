"""The journal of a living process: each frame is on this machine's disk before it is sent.

appended   handed to the kernel: it outlives the process
synced     on the disk: it outlives the machine
forgotten  the server answered for it, and for all before it: its segment is removed

It is made with the first frame, and removed at the end when every frame has its answer. A disk that is full, or can't
be written to, ends nothing: frames then have no place but the process's memory, and after a while it is tried again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fleetlog._journal.disk import Disk
from fleetlog._journal.folders import Folder
from fleetlog._journal.kept_files import AboutFile, KeptFile, keep, kept_bytes
from fleetlog._journal.places import MAX_BYTES
from fleetlog._journal.records import Answered, ExperimentNumber, LoggedFrame, encode
from fleetlog._journal.segments import Place, Segment, Segments
from fleetlog._transport.threads import holds
from fleetlog.errors import FailedPrecondition

RETRY_SECONDS = 5.0
"""Time from a failure of the disk until it is tried again."""
HOLD_SECONDS = 1.0
"""Longest wait of a fork for a call to the disk."""
FULL, UNWRITABLE = "JOURNAL_FULL", "JOURNAL_UNWRITABLE"


class Journal:
    """What one process logged to one server. Thread-safe. `warn` takes a kind of warning, and its text."""

    def __init__(
        self,
        root: Path,
        target: str,
        warn: Callable[[str, str], None],
        max_bytes: int = MAX_BYTES,
        disk: Disk | None = None,
        now: Callable[[], float] = time.monotonic,
        tell_once: Callable[[Path, Callable[[str, str], None]], None] = lambda root, warn: None,
    ) -> None:
        """`tell_once` is called when the first frame comes: it may say what else is below `root`."""
        self._tell_once = tell_once
        self._root = root
        self._target = target
        self._warn = warn
        self._max_bytes = max_bytes
        self._disk = disk or Disk()
        self._now = now
        # Reentrant: a signal may end the process amid a call, by others.
        self._lock = threading.RLock()
        self._dirty = threading.Condition(self._lock)
        self._folder: Folder | None = None
        self._segments: Segments | None = None
        self._low = 1
        """Every frame with a serial below it has its answer."""
        self._failed_at: float | None = None
        self._unsynced: tuple[OSError, int] | None = None
        """A sync that failed, and the serial of the last frame that may not be on the disk for it."""
        self._names_synced = 0
        self._closed = False
        self._held = False
        self.problem = ""
        """Reason why it takes nothing just now; "" when it does, or was not tried again since."""

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a change of it."""
        return holds(self._lock)

    @property
    def path(self) -> Path | None:
        """Its folder; None before the first frame."""
        return None if self._folder is None else self._folder.path

    def is_ready(self) -> bool:
        """True if it takes frames now, as far as that can be known before; begins what it lacks for that."""
        with self._lock:
            if self._closed or (self._failed_at is not None and self._now() - self._failed_at < RETRY_SECONDS):
                return False
            if self._segments is not None and self._segments.size >= self._max_bytes:
                self._full()
                return False
            try:
                self._begun().begin()
            except OSError as error:
                self._failed(error)
                return False
            return True

    def append(self, frames: Sequence[LoggedFrame], first_serial: int) -> Place | None:
        """Append frames with serials from the first one on, all or none; where. None: it can't take them now."""
        data = b"".join(map(encode, frames))
        with self._lock:
            if not self.is_ready():
                return None
            segments = self._begun()
            if segments.size + len(data) > self._max_bytes:
                self._full()
                return None
            try:
                place = segments.append(data, first_serial + len(frames) - 1)
            except OSError as error:
                self._failed(error)
                return None
            self._failed_at, self.problem = None, ""
            self._dirty.notify_all()
            return place

    def answered(self, answers: Sequence[Answered], low: int) -> None:
        """The server answered for these; every frame with a serial below `low` has its answer."""
        with self._lock:
            segments, self._low = self._segments, max(low, self._low)
            if segments is None or self._closed:
                return
            try:
                segments.forget_below(self._low)
                if answers and segments.size < self._max_bytes and self.problem == "":
                    segments.append(b"".join(map(encode, answers)))
            except OSError as error:
                # The frames come once more then, should the process die, which changes nothing.
                self._failed(error)

    def note_experiment(self, namespace: str, name: str, number: int) -> None:
        """Remember the number of an experiment, for frames that lack it."""
        with self._lock:
            if self._segments is None or self._closed or not self.is_ready():
                return
            try:
                self._segments.append(encode(ExperimentNumber(namespace, name, number)))
            except OSError as error:
                self._failed(error)

    def keep_file(self, about: AboutFile, size: int, chunks: Iterable[bytes]) -> KeptFile | None:
        """Keep a file of so many bytes, on the disk when this returns; None: it finds no room, which is told."""
        with self._lock:
            if not self.is_ready() or self._folder is None or self._segments is None:
                return None
            folder, frames_bytes = self._folder.path, self._segments.size
        try:
            if frames_bytes + kept_bytes(folder) + size <= self._max_bytes:
                return keep(folder, about, size, chunks, self._disk)
            why = (
                f"it has {size:,} bytes, and may take {self._max_bytes:,} in all; FLEETLOG_JOURNAL_BYTES gives it more"
            )
        except OSError as error:
            why = error.strerror or str(error)
        self._warn("journal file", f"artifact {about.name} finds no place in the journal in {folder}: {why}")
        return None

    def paths_from(self, number: int) -> list[Path]:
        """The segments from a number on, oldest first."""
        with self._lock:
            return [] if self._segments is None else self._segments.paths_from(number)

    def wait_unsynced(self, timeout_seconds: float) -> bool:
        """Until something is to be synced; False when the time ran out, or it is closed."""
        with self._lock:
            self._dirty.wait_for(lambda: self._closed or self._needs_sync(), timeout_seconds)
            return self._needs_sync() and not self._closed

    def _needs_sync(self) -> bool:
        return self._segments is not None and bool(self._segments.unsynced(self._low))

    def sync(self) -> None:
        """All that was appended, and has no answer, is on the disk when it returns. OSError, told once by a warning."""
        with self._lock:
            segments, folder = self._segments, self._folder
            if segments is None or folder is None:
                return
            # Descriptors of its own: a segment may be removed meanwhile, and its number be another file's.
            begun = [(one, one.size, os.dup(one.file)) for one in segments.unsynced(self._low) if one.file >= 0]
            named, last_number = self._names_synced, segments.last_number
        try:
            if begun and not named:
                self._disk.sync_folder(self._root)
            if begun and named < last_number:
                self._disk.sync_folder(folder.path)
                self._names_synced = last_number
            for segment, size, file in begun:
                self._disk.sync(file)
                with self._lock:
                    segments.synced(segment, size)
        except OSError as error:
            with self._lock:
                # What the kernel could not write it may have dropped: nothing more goes behind it.
                self._forget_unsynced([one for one, _, _ in begun], segments, error)
            raise
        finally:
            for _, _, file in begun:
                os.close(file)

    def _forget_unsynced(self, begun: Sequence[Segment], segments: Segments, error: OSError) -> None:
        segments.seal()
        self._unsynced = (error, max((segment.last_serial for segment in begun), default=0))
        self._names_synced = 0
        for segment in begun:
            # Not tried again: a second fsync says nothing of what the first one failed at.
            segments.synced(segment, segment.size)
        self._failed(error)

    def flush(self) -> None:
        """As `sync`, and FailedPrecondition when something that has no answer may not be on the disk."""
        try:
            self.sync()
        except OSError as error:
            raise self._not_local(error) from None
        with self._lock:
            if self._unsynced is not None and self._unsynced[1] >= self._low:
                raise self._not_local(self._unsynced[0])

    def _not_local(self, error: OSError) -> FailedPrecondition:
        return FailedPrecondition(
            UNWRITABLE,
            f"the journal in {self.path or self._root} can't be written: {error.strerror or error};"
            " make room, or name another folder in FLEETLOG_JOURNAL; level='durable' waits for the server instead",
        )

    def _begun(self) -> Segments:
        if self._segments is None:
            self._tell_once(self._root, self._warn)
            self._folder = Folder.create(self._root, self._target)
            self._segments = Segments(self._folder.path, self._disk)
        return self._segments

    def _full(self) -> None:
        self.problem = FULL
        self._warn(
            "journal full",
            f"the journal in {self.path} has {self._max_bytes:,} bytes, which is its limit: what is logged now waits in"
            " memory; FLEETLOG_JOURNAL_BYTES gives it more",
        )

    def _failed(self, error: OSError) -> None:
        self._failed_at = self._now()
        if self.problem != UNWRITABLE:
            self.problem = UNWRITABLE
            self._warn(
                "journal",
                f"the journal in {self.path or self._root} can't be written: {error.strerror or error}; what is logged"
                " waits in memory alone until it can, and would be lost with this process",
            )

    def close(self, *, keep: bool) -> None:
        """End it: its files are removed, or kept for `fleetlog sync` to deliver."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._dirty.notify_all()
            if self._segments is not None:
                self._segments.close()
            if self._folder is None:
                return
            if keep:
                self._folder.release()
                return
            try:
                self._folder.remove()
            except OSError as error:
                self._folder.release()
                self._warn("journal", f"the journal in {self.path} can't be removed: {error.strerror or error}")

    def hold(self) -> None:
        """Before a fork, in the thread that forks: no file is being opened, which a child could not know of."""
        self._held = self._lock.acquire(timeout=HOLD_SECONDS)

    def go_on(self) -> None:
        """After a fork, in the parent."""
        if self._held:
            self._held = False
            self._lock.release()

    def forked(self) -> None:
        """In a forked child: the files are the parent's. No lock is taken, as nobody may be there to free it."""
        folder, segments = self._folder, self._segments
        if folder is not None:
            folder.release()
        if segments is not None:
            segments.close()
