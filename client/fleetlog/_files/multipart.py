"""Large files, written by their parts straight into the server's object store.

The server names the parts that are missing and where to PUT each; they are sent a few at a time, and what was cut is
named again. An upload that no server or store answers for is gone on with by the next try.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from fleetlog_core.printable import printable
from fleetlog_proto.v1 import ingest_pb2

from fleetlog._files.local_files import FileChanged, LocalFile
from fleetlog._transport.answers import bad_answer
from fleetlog._transport.connection import Connection
from fleetlog._transport.tls import store_context
from fleetlog.errors import FleetlogError, Unavailable

THREADS = 4
BLOCK_BYTES = 256 * 1024
STALL_SECONDS = 60.0
"""The longest silence of the store in the middle of a part."""
VERIFY_SECONDS = 3600.0
MAX_ROUNDS = 1_000
"""How often the parts that are missing are asked for; ten rounds name 10,000 parts."""
ANSWER_BYTES = 65_536
"""Bytes of the store's answer that are read."""
_OVER = ("UPLOAD_GONE", "DIGEST_MISMATCH", "FILE_CHANGED")
_AGAIN = ("UPLOAD_GONE", "UPLOAD_INCOMPLETE")


def uploaded_by_parts(connection: Connection, header: ingest_pb2.UploadHeader, file: LocalFile) -> bool:
    """Whether the bytes are in the object store now; False when the server wants them as a stream. FleetlogError.

    FileChanged when the file has fewer bytes by now.
    """
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
        _send(connection, header, token, file)
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


def _send(connection: Connection, header: ingest_pb2.UploadHeader, token: str, file: LocalFile) -> None:
    """Until no part is missing. Unavailable when a round brought nothing."""
    request = ingest_pb2.GetUploadPartsRequest(header=header, upload_token=token)
    before: list[int] = []
    failures: list[str] = []
    for _ in range(MAX_ROUNDS):
        parts = connection.call(connection.ingest.GetUploadParts, request).parts
        if not parts:
            return
        missing = [part.offset_bytes for part in parts]
        if missing == before:
            why = failures[0] if failures else "they were sent and are not there"
            raise Unavailable("OBJECT_STORE_UNAVAILABLE", f"the object store takes no parts of {header.path}: {why}")
        for part in parts:
            if part.offset_bytes < 0 or part.size_bytes < 1 or part.offset_bytes + part.size_bytes > header.size_bytes:
                raise bad_answer(connection.target, f"a part of {header.path} is not within its bytes")
        before, failures = missing, _put_all(file, parts)
    raise bad_answer(connection.target, f"parts of {header.path} are missing again and again")


def _put_all(file: LocalFile, parts: Sequence[ingest_pb2.UploadPart]) -> list[str]:
    """Send them, a few at a time; why some could not be sent. FileChanged."""
    waiting, failures, changed = deque(parts), list[str](), list[FileChanged]()

    def work() -> None:
        try:
            while waiting:
                _put(file, waiting.popleft())
        except IndexError:
            # Another thread took the last one.
            return
        except FileChanged as error:
            changed.append(error)
            waiting.clear()
        except (OSError, HTTPException, ValueError) as error:
            failures.append(printable(f"{type(error).__name__}: {error}"))

    # No executor: the interpreter would wait for its threads when it exits.
    threads = [threading.Thread(target=work, name="fleetlog-part", daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if changed:
        raise changed[0]
    return failures


def _put(file: LocalFile, part: ingest_pb2.UploadPart) -> None:
    """OSError, HTTPException, FileChanged; ValueError for an address that is none. They do not name the address."""
    url = urlsplit(part.url)
    if url.scheme not in ("http", "https"):
        raise ValueError("the server gave an address that is not http:// or https://")
    sending = (
        HTTPSConnection(url.netloc, timeout=STALL_SECONDS, blocksize=BLOCK_BYTES, context=store_context())
        if url.scheme == "https"
        else HTTPConnection(url.netloc, timeout=STALL_SECONDS, blocksize=BLOCK_BYTES)
    )
    try:
        body = _Slice(file, part.offset_bytes, part.size_bytes)
        sending.request("PUT", f"{url.path}?{url.query}", body, {"Content-Length": str(part.size_bytes)})
        # An answer that leads elsewhere is an error like any other: it is not followed.
        response = sending.getresponse()
        response.read(ANSWER_BYTES)
        if response.status != 200:
            raise HTTPException(f"status {response.status}")
    finally:
        sending.close()


class _Slice:
    """Bytes of a file, as http.client reads them."""

    def __init__(self, file: LocalFile, offset_bytes: int, size_bytes: int) -> None:
        self._file = file
        self._offset = offset_bytes
        self._left = size_bytes

    def read(self, size: int = BLOCK_BYTES, /) -> bytes:
        """The next bytes. FileChanged when the file became shorter."""
        data = self._file.read_at(self._offset, min(size, self._left))
        if not data and self._left:
            raise FileChanged(self._file.path)
        self._offset += len(data)
        self._left -= len(data)
        return data
