"""log_artifact and log_artifacts: nothing here raises into a training, and whatever is not kept is told.

kept     an event in the outbox, with the bytes, or behind their upload
waiting  the server is away, or there is no room: uploaded in the background, as the journal has it, or as it is then
lost     counted, warned about, told to the run (ARTIFACT_NOT_KEPT)
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.printable import printable
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import event_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.diagnostics import diagnostics
from fleetlog._delivery.uploads import Upload, speaks_of_file
from fleetlog._events.items import Writer
from fleetlog._files.artifacts import artifact_event
from fleetlog._files.trees import Skipped, TreeFile, walk
from fleetlog.errors import FailedPrecondition, FleetlogError

ARTIFACT_NOT_KEPT = "ARTIFACT_NOT_KEPT"
TREE_SECONDS = 60.0
"""Longest time that a tree holds the training; the rest of it is uploaded in the background."""
NAMED = 5
"""Files of a tree that one warning names."""


class FileLogger:
    """The files of one writer. `put` takes an event into the outbox; `now_millis` is the run's clock."""

    def __init__(
        self,
        delivery: Delivery,
        writer: Writer,
        put: Callable[[event_pb2.Event], None],
        now_millis: Callable[[], int],
    ) -> None:
        self._delivery = delivery
        self._writer = writer
        self._put = put
        self._now = now_millis

    def log(self, path: object, name: object = None) -> None:
        """Keep one file."""
        try:
            found = path_of(path)
            self._log(Upload(self._writer, found, found.name if name is None else _text("name", name)))
        except Exception as error:  # whatever a file system says, and whatever was given: training goes on
            self._lost(path if name is None else name, error)

    def log_content(self, name: str, content: bytes) -> None:
        """Keep bytes that are no file: small ones at once, others by way of a file that is removed when it is kept.

        FleetlogError ARTIFACT_PATH_INVALID; OSError when the file can't be written.
        """
        check_artifact_path(name, "artifact_file")
        if len(content) <= limits.INLINE_ARTIFACT_BYTES:
            logged = event_pb2.ArtifactLogged(
                path=name, size_bytes=len(content), sha256=hashlib.sha256(content).digest(), content=content
            )
            self._put(event_pb2.Event(observe_time_millis=self._now(), artifact_logged=logged))
            return
        descriptor, path = tempfile.mkstemp(prefix="fleetlog-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        upload = Upload(self._writer, Path(path), name, is_ours=True)
        waits = False
        try:
            waits = self._log(upload)
        finally:
            if not waits:
                upload.over()

    def log_tree(self, folder: object, prefix: object = "", tree_seconds: float = TREE_SECONDS) -> None:
        """Keep every file below a folder; a file by itself is kept too."""
        try:
            self._log_tree(path_of(folder), _text("prefix", prefix or "").strip("/"), tree_seconds)
        except Exception as error:  # as above
            self._lost(folder, error)

    def _log_tree(self, folder: Path, prefix: str, tree_seconds: float) -> None:
        if not folder.is_dir():
            self.log(folder, f"{prefix}/{folder.name}" if prefix else None)
            return
        deadline, skipped, uploads = time.monotonic() + tree_seconds, list[str](), 0
        count = 0
        for found in walk(folder):
            if isinstance(found, TreeFile):
                why = self._of_tree(found, prefix, in_background=time.monotonic() > deadline)
                uploads += 1
            else:
                why = _told(found)
            if why:
                count += 1
                skipped += [why] if len(skipped) < NAMED else []
        if count:
            self._delivery.outbox.lose(self._writer, ARTIFACT_NOT_KEPT, events=count)
            more = f", and {count - len(skipped):,} more" if count > len(skipped) else ""
            diagnostics.warning("of folder %s %d were not kept: %s%s", folder, count, "; ".join(skipped), more)
        elif not uploads:
            diagnostics.warning("folder %s has no files: nothing was kept of it", folder)

    def _of_tree(self, file: TreeFile, prefix: str, *, in_background: bool) -> str:
        """Why the file was not kept; "" when it was, or waits."""
        name = f"{prefix}/{file.name}" if prefix else file.name
        upload = Upload(self._writer, file.path, name, follow_link=False)
        if in_background and self._delivery.uploads.has_room:
            self._delivery.warn("tree", "a folder takes long to be kept: the rest of it is uploaded in the background")
            self._delivery.uploads.add(upload)
            return ""
        try:
            self._log(upload)
        except Exception as error:  # this file alone is lost
            return _told(Skipped(name, str(error)))
        return ""

    def _log(self, upload: Upload) -> bool:
        """True if the file waits, and is read again later."""
        delivery = self._delivery
        if delivery.offline and upload.path.stat().st_size > limits.INLINE_ARTIFACT_BYTES:
            if not self._waits(upload):
                raise FailedPrecondition(
                    "OFFLINE",
                    "it has over 1 MiB, FLEETLOG_MODE=offline tries no server, and the journal has no room for it",
                )
            return True
        try:
            event = artifact_event(
                delivery.connection, self._writer, upload.path, upload.name, self._now(),
                follow_link=upload.follow_link,
            )  # fmt: skip
        except Exception as error:
            if speaks_of_file(error):
                raise
            what = error if isinstance(error, FleetlogError) else repr(error)
            delivery.warn("upload", f"artifact {upload.name} waits, and is tried again in the background: {what}")
            self._waits(upload)
            return True
        if event.artifact_logged.content and delivery.outbox.full:
            self._waits(upload)
            return True
        self._put(event)
        return False

    def _waits(self, upload: Upload) -> bool:
        """Upload it later; True if the journal keeps it until then, as it is now."""
        delivery = self._delivery
        kept = delivery.journal is not None and upload.keep(delivery.journal, self._now())
        if kept or not delivery.offline:
            delivery.uploads.add(upload)
        return kept

    def _lost(self, what: object, error: Exception) -> None:
        # Not the str() of whatever it is, which may raise.
        name = printable(str(what)) if isinstance(what, (str, bytes, Path)) else f"of type {type(what).__name__}"
        self._delivery.outbox.lose(self._writer, ARTIFACT_NOT_KEPT, events=1)
        diagnostics.warning("artifact %s was not kept: %s", name, error)


def path_of(path: object) -> Path:
    """A path as people give it: text, bytes or os.PathLike. TypeError."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"a path is a text or a pathlib.Path, not {type(path).__name__}")
    return Path(os.fsdecode(path))


def _text(argument: str, value: object) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument} is a text, not {type(value).__name__}")
    return os.fsdecode(value)


def _told(skipped: Skipped) -> str:
    return f"{printable(skipped.name)} ({printable(skipped.why)})"
