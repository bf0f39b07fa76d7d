"""Bytes that arrive in chunks, verified before the last of them is handed on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from fleetlog_core.objects.port import DigestMismatch, ObjectName


def verified(name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks; in place of the last one DigestMismatch when all of them are not what was declared.

    So what is written while it arrives is never whole when it is wrong. At least one chunk comes out.
    """
    digest, size, held = hashlib.sha256(), 0, b""
    for chunk in chunks:
        if not chunk:
            continue
        size += len(chunk)
        if size > size_bytes:
            raise DigestMismatch(f"more than the declared {size_bytes:,} bytes")
        digest.update(chunk)
        if held:
            yield held
        held = chunk
    if size != size_bytes:
        raise DigestMismatch(f"{size:,} bytes; {size_bytes:,} were declared")
    if digest.digest() != name.sha256:
        raise DigestMismatch("the SHA-256 of the bytes is not the declared one")
    yield held
