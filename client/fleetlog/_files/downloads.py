"""One file of a run, downloaded: never more than was announced, verified before it shows, gone on with when it broke.

asked ──what it is──▶ part file ──bytes──▶ as many as announced ──SHA-256──▶ renamed to the target
                          └─ broken off: the part stays, and the next download of the same bytes goes on with it
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PureWindowsPath

from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition, FleetlogError, ResourceExhausted, Unavailable, shown
from fleetlog_core.printable import printable
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import artifact_pb2

from fleetlog._files.part_files import PartFile, part_file
from fleetlog._transport.answers import bad_answer

Responses = Generator[artifact_pb2.DownloadArtifactResponse, None, None]
Start = Callable[[int], Responses]
"""Asks the server for the bytes from an offset on; closing the generator ends the call. Errors of this package."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def target_of(to: str | os.PathLike[str], path: str) -> Path:
    """Where a file goes: below a folder, or to a path. InvalidArgument, FailedPrecondition before anything is made."""
    check_artifact_path(path, written=False)
    if os.name == "nt" and (":" in path or any(PureWindowsPath(part).is_reserved() for part in path.split("/"))):
        raise FailedPrecondition("PATH_RESERVED", f"{shown(path)} can't be the name of a file here; give another path")
    target = Path(to)
    if target.is_dir():
        target = target / path
    if target.is_dir() and not target.is_symlink():
        raise FailedPrecondition(
            "TARGET_IS_FOLDER", f"{printable(str(target))} is a folder; remove it, or download to another path"
        )
    return target


def download(start: Start, path: str, target: Path, server: str) -> None:
    """Write the file. FleetlogError; what the disk says is one too: DISK_FULL, TARGET_NOT_WRITTEN."""
    with written(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with closing(start(0)) as responses:
            artifact = _announced(responses, path, server)
            with part_file(target, artifact.sha256, artifact.size_bytes) as part:
                _check_room(target, artifact.size_bytes - part.size_bytes)
                if not part.size_bytes:
                    _receive(responses, part, artifact, server)
                elif part.size_bytes < artifact.size_bytes:
                    responses.close()
                    _go_on(start, part, artifact, server)
                _finish(part, artifact, target)


def _go_on(start: Start, part: PartFile, artifact: artifact_pb2.Artifact, server: str) -> None:
    with closing(start(part.size_bytes)) as responses:
        now = _announced(responses, artifact.path, server)
        if (now.sha256, now.size_bytes) != (artifact.sha256, artifact.size_bytes):
            raise Unavailable(
                "ARTIFACT_CHANGED", f"{shown(artifact.path)} was logged again meanwhile; download it again"
            )
        _receive(responses, part, artifact, server)


def _announced(responses: Responses, path: str, server: str) -> artifact_pb2.Artifact:
    """What the server is about to send."""
    first = next(responses, None)
    if first is None or not first.HasField("artifact") or first.chunk:
        raise bad_answer(server, "a download begins with what is downloaded")
    artifact = first.artifact
    if artifact.path != path:
        raise bad_answer(server, f"it sends {shown(artifact.path)}, and {shown(path)} was asked for")
    if not 0 <= artifact.size_bytes <= limits.ARTIFACT_BYTES or len(artifact.sha256) != 32:
        raise bad_answer(server, f"{shown(path)} of {artifact.size_bytes:,} bytes with no SHA-256 or no possible size")
    return artifact


def _receive(responses: Responses, part: PartFile, artifact: artifact_pb2.Artifact, server: str) -> None:
    for response in responses:
        if response.HasField("artifact") or not response.chunk:
            part.remove()
            raise bad_answer(server, f"a piece of {shown(artifact.path)} is empty, or announces another file")
        if part.size_bytes + len(response.chunk) > artifact.size_bytes:
            part.remove()
            raise bad_answer(
                server, f"more than the {artifact.size_bytes:,} bytes that it announced for {shown(artifact.path)}"
            )
        part.write(response.chunk)
    if part.size_bytes < artifact.size_bytes:
        raise Unavailable(
            "DOWNLOAD_BROKEN",
            f"{shown(artifact.path)}: {part.size_bytes:,} of {artifact.size_bytes:,} bytes came;"
            " download it again, it goes on there",
        )


def _finish(part: PartFile, artifact: artifact_pb2.Artifact, target: Path) -> None:
    if part.sha256 != artifact.sha256:
        part.remove()
        raise FleetlogError(
            "DIGEST_MISMATCH", f"{shown(artifact.path)} did not arrive as it was stored; download it again"
        )
    part.become(target)


def _check_room(target: Path, size_bytes: int) -> None:
    """A disk that is filled up harms more than this download."""
    free = shutil.disk_usage(target.parent).free
    if size_bytes > free:
        raise ResourceExhausted(
            "DISK_FULL", f"{printable(str(target))}: {size_bytes:,} bytes are to come, and the disk has {free:,} free"
        )


@contextmanager
def written(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where, why = printable(str(target)), error.strerror or str(error)
        if error.errno in _NO_ROOM:
            raise ResourceExhausted(
                "DISK_FULL", f"{where}: {why}; make room and download it again, it goes on where it stopped"
            ) from error
        raise FailedPrecondition("TARGET_NOT_WRITTEN", f"{where}: {why}; download to another path") from error
