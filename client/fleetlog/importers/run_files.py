"""Files of a source's run as events; large ones are uploaded before, several at once."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from fleetlog_proto.v1 import event_pb2

from fleetlog._events.items import Writer
from fleetlog._files.artifacts import artifact_event
from fleetlog._transport.connection import Connection
from fleetlog._views.artifacts import Artifact
from fleetlog.errors import FleetlogError, is_verdict
from fleetlog.importers.source import SourceFile, Unread

_BLOCK_BYTES = 1 << 20


class FileEvents:
    """Makes events of files, `jobs` of them at once."""

    def __init__(self, connection: Connection, jobs: int) -> None:
        self._connection = connection
        self._jobs = jobs

    def events(
        self, writer: Writer, files: Iterable[SourceFile], present: Iterable[Artifact], time_millis: int, where: str,
        left_out: list[Unread],
    ) -> Iterator[event_pb2.Event]:  # fmt: skip
        """Yields an event for each file that is not present as it is; those that can't be read go to `left_out`.

        FleetlogError: no server takes it now.
        """
        known = {file.path: file for file in present}

        def made(file: SourceFile) -> event_pb2.Event | Unread | None:
            try:
                with _on_disk(file) as path:
                    if (one := known.get(file.path)) is not None and _is_same(path, one):
                        return None
                    return artifact_event(self._connection, writer, path, file.path, time_millis)
            except (OSError, FleetlogError) as error:
                if isinstance(error, FleetlogError) and not is_verdict(error):
                    raise
                why = error.message if isinstance(error, FleetlogError) else error.strerror or str(error)
                return Unread(f"{where}, file {file.path}", why)

        pending = iter(files)
        with ThreadPoolExecutor(self._jobs, "fleetlog-import") as pool:
            # A few at a time: what is read of small ones stays in memory until it is sent.
            while some := list(itertools.islice(pending, 4 * self._jobs)):
                for one in pool.map(made, some):
                    if isinstance(one, Unread):
                        left_out.append(one)
                    elif one is not None:
                        yield one


@contextmanager
def _on_disk(file: SourceFile) -> Iterator[Path]:
    """The file on this machine; a copy, where the source has it elsewhere."""
    if file.local is not None:
        yield file.local
        return
    with tempfile.TemporaryDirectory(prefix="fleetlog-import-") as folder:
        path = Path(folder) / "file"
        try:
            with file.open() as content, path.open("wb") as copy:
                shutil.copyfileobj(content, copy, _BLOCK_BYTES)
        except HTTPException as error:
            raise OSError(f"its content broke off: {type(error).__name__}") from None
        size = path.stat().st_size
        if file.size is not None and size != file.size:
            # An answer whose connection was lost ends early without a word.
            raise OSError(f"{size:,} bytes of it came, where the source tells of {file.size:,}")
        yield path


def _is_same(path: Path, present: Artifact) -> bool:
    if path.stat().st_size != present.size_bytes:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == present.sha256
