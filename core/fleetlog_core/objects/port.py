"""The port of the object store: immutable bytes under the digest of their content.

An object's name is (namespace, run id, SHA-256): the same bytes put twice are one object, a repeat after a crash is
safe, and nothing a user typed becomes part of a path or of a bucket key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from fleetlog_core.unavailable import PartUnavailable

_KEY = re.compile(r"([a-z0-9][a-z0-9_-]*)/([0-9a-f]{32})/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ObjectName:
    """Whose bytes, and which: the namespace, the 16 bytes of the run id, the 32 bytes of the SHA-256."""

    namespace: str
    run_id: bytes
    sha256: bytes

    def key(self) -> str:
        """The name as a path of safe parts: `namespace/<run id>/<digest>`, in hexadecimal."""
        return f"{self.namespace}/{self.run_id.hex()}/{self.sha256.hex()}"

    @classmethod
    def of_key(cls, key: str) -> ObjectName | None:
        """The name whose key this is; None when it is no key."""
        match = _KEY.fullmatch(key)
        return cls(match[1], bytes.fromhex(match[2]), bytes.fromhex(match[3])) if match else None


class ObjectStoreUnavailable(PartUnavailable):
    """The store does not answer, or can't store or read now; do it again."""


class DigestMismatch(Exception):
    """The bytes are not those of the name or size; nothing was stored."""


class ObjectStore(Protocol):
    """Bytes by digest. Thread-safe; calls block; ObjectStoreUnavailable from each. An object shows whole or not."""

    def put(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        """Store the bytes durably. DigestMismatch when size or digest differ. Already there: nothing changes."""
        ...

    def size(self, name: ObjectName) -> int | None:
        """Length in bytes, None when it is not there."""
        ...

    def read(self, name: ObjectName, offset_bytes: int = 0, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """The bytes from an offset on, in chunks; none from the end on. KeyError when it is not there."""
        ...

    def close(self) -> None:
        """Let go. Idempotent."""
        ...
