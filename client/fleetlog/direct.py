"""Large files, written by their parts straight into the server's object store.

The server names the parts that are missing and where to PUT each; they are sent a few at a time, and what was cut is
named again. An upload that no server or store answers for is gone on with by the next try.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from fleetlog_proto.v1 import ingest_pb2

from fleetlog.connection import Connection
from fleetlog.errors import FleetlogError, Unavailable

THREADS = 4
BLOCK_BYTES = 256 * 1024
STALL_SECONDS = 60.0
"""The longest silence of the store in the middle of a part."""
VERIFY_SECONDS = 3600.0
_OVER = ("UPLOAD_GONE", "DIGEST_MISMATCH")
_AGAIN = ("UPLOAD_GONE", "UPLOAD_INCOMPLETE")


def uploaded_by_parts(connection: Connection, header: ingest_pb2.UploadHeader, path: Path) -> bool:
    """Whether the bytes are in the object store now; False when the server wants them as a stream. FleetlogError."""
    key = header.SerializeToString(deterministic=True)
    token = connection.uploads.get(key)
    if token is None:
        try:
            begun = connection.call(connection.ingest.BeginUpload, ingest_pb2.BeginUploadRequest(header=header))
        except FleetlogError as error:
            if error.code == "UNIMPLEMENTED":
                return False
            raise
        if begun.stored or not begun.upload_token:
            return begun.stored
        token = connection.uploads[key] = begun.upload_token
    try:
        _send(connection, header, token, path)
        request = ingest_pb2.CompleteUploadRequest(header=header, upload_token=token)
        connection.call(connection.ingest.CompleteUpload, request, VERIFY_SECONDS)
    except FleetlogError as error:
        if error.reason in _OVER:
            connection.uploads.pop(key, None)
        if error.reason in _AGAIN:
            raise Unavailable(error.reason, error.message) from error
        raise
    connection.uploads.pop(key, None)
    return True


def _send(connection: Connection, header: ingest_pb2.UploadHeader, token: str, path: Path) -> None:
    """Until no part is missing. Unavailable when a round brought nothing."""
    request = ingest_pb2.GetUploadPartsRequest(header=header, upload_token=token)
    before: list[int] = []
    failures: list[str] = []
    while parts := connection.call(connection.ingest.GetUploadParts, request).parts:
        missing = [part.offset_bytes for part in parts]
        if missing == before:
            why = failures[0] if failures else "they were sent and are not there"
            raise Unavailable("OBJECT_STORE_UNAVAILABLE", f"the object store takes no parts of {header.path}: {why}")
        before, failures = missing, _put_all(path, parts)


def _put_all(path: Path, parts: Iterable[ingest_pb2.UploadPart]) -> list[str]:
    """Send them, a few at a time; why some could not be sent."""
    waiting, failures = deque(parts), list[str]()

    def work() -> None:
        try:
            with path.open("rb") as file:
                while waiting:
                    _put(file, waiting.popleft())
        except IndexError:
            # Another thread took the last one.
            return
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"{type(error).__name__}: {error}")

    # No executor: the interpreter would wait for its threads when it exits.
    threads = [threading.Thread(target=work, name="fleetlog-part", daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def _put(file: BinaryIO, part: ingest_pb2.UploadPart) -> None:
    """OSError, HTTPException; ValueError for an address that is none. Their messages do not name the address."""
    url = urlsplit(part.url)
    if url.scheme not in ("http", "https"):
        raise ValueError("the server gave an address that is not http:// or https://")
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    sending = kind(url.netloc, timeout=STALL_SECONDS, blocksize=BLOCK_BYTES)
    try:
        file.seek(part.offset_bytes)
        body = _Slice(file, part.size_bytes)
        sending.request("PUT", f"{url.path}?{url.query}", body, {"Content-Length": str(part.size_bytes)})
        response = sending.getresponse()
        response.read()
        if response.status != 200:
            raise HTTPException(f"status {response.status}")
    finally:
        sending.close()


class _Slice:
    """So many bytes of a file, from where it is."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._left = size_bytes

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes. OSError when the file became shorter."""
        data = self._file.read(min(size, self._left))
        if not data and self._left:
            raise OSError("the file became shorter")
        self._left -= len(data)
        return data
