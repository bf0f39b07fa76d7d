"""Files of a run, downloaded side by side: what is there already is left alone, and progress is told in bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from fleetlog_proto.v1 import artifact_pb2

from fleetlog._files.downloads import Responses, download, target_of, written
from fleetlog._files.local_files import opened

Start = Callable[[str, int], Responses]
"""Asks the server for a file's bytes from an offset on."""


def download_all(
    files: Sequence[artifact_pb2.Artifact],
    folder: Path,
    start: Start,
    server: str,
    threads: int,
    on_progress: Callable[[int, int], None] | None,
) -> list[Path]:
    """The files below the folder, which is made. The first error ends all, and is raised. FleetlogError."""
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # Before anything is written: a path that can't be here is told while nothing is half done.
    targets = [target_of(folder, file.path) for file in files]
    progress = _Progress(sum(file.size_bytes for file in files), on_progress)
    pool = ThreadPoolExecutor(threads, "fleetlog-download")
    try:
        done = [
            pool.submit(_bring, file, target, start, server, progress)
            for file, target in zip(files, targets, strict=True)
        ]
        wait(done, return_when=FIRST_EXCEPTION)
    finally:
        pool.shutdown(cancel_futures=True)
    for future in done:
        if not future.cancelled():
            future.result()
    return targets


class _Progress:
    """Bytes that are there, of all files."""

    def __init__(self, total: int, told: Callable[[int, int], None] | None) -> None:
        self._total, self._told = total, told
        self._there: dict[str, int] = {}
        self._lock = threading.Lock()

    def there(self, path: str, size_bytes: int) -> None:
        """The bytes of a file that are there now."""
        with self._lock:
            self._there[path] = size_bytes
            done = sum(self._there.values())
        if self._told is not None:
            self._told(done, self._total)


def _bring(file: artifact_pb2.Artifact, target: Path, start: Start, server: str, progress: _Progress) -> None:
    def counted(offset: int) -> Responses:
        there = offset
        responses = start(file.path, offset)
        try:
            for response in responses:
                yield response
                if response.chunk:
                    there += len(response.chunk)
                    progress.there(file.path, there)
        finally:
            responses.close()

    if not _is_there(file, target):
        download(counted, file.path, target, server)
    progress.there(file.path, file.size_bytes)


def _is_there(file: artifact_pb2.Artifact, target: Path) -> bool:
    """True if the target has these bytes already. A link is replaced, as by any download."""
    try:
        with opened(target, follow_link=False) as local:
            return local.size() == file.size_bytes and local.digest(file.size_bytes).sha256 == file.sha256
    except FileNotFoundError:
        return False
