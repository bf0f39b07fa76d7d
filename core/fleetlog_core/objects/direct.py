"""Uploads that a client makes itself, straight into the store: a claim check.

The server begins an upload and hands out addresses, one a part; the client writes the parts there, several at a time,
again where it was cut; the server completes it: puts the parts together aside, reads them back, and shows the object
when size and SHA-256 are the declared ones. Bytes pass the server once, inside its own network, and no frame waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fleetlog_core.objects.port import ObjectName

MIB = 1 << 20
PART_BYTES = 16 * MIB
"""What is lost when a part is cut; and with 10,000 parts the size up to which it is enough."""
PARTS = 10_000
URL_SECONDS = 900
"""How long an address of a part can be used."""


class UploadGone(Exception):
    """No such upload: it was completed, dropped, or never begun. Begin again."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun. `token` names it with the object's name; part n holds bytes (n-1)·part_bytes on."""

    token: str
    part_bytes: int


class UploadIncomplete(Exception):
    """Parts are missing or have another length; `parts` are their numbers, the first 1,000 of them."""

    def __init__(self, parts: Sequence[int]) -> None:
        super().__init__(f"{len(parts):,} parts are missing or have another length, from part {parts[0]:,} on")
        self.parts = parts[:1000]


def part_bytes_of(size_bytes: int) -> int:
    """The length of every part but the last, of an object of that size: whole mebibytes, at least 16."""
    return max(PART_BYTES, -(-size_bytes // PARTS // MIB) * MIB)


def part_lengths(size_bytes: int) -> dict[int, int]:
    """The length of each part, by its number from 1 on."""
    part_bytes = part_bytes_of(size_bytes)
    return {
        number: min(part_bytes, size_bytes - start)
        for number, start in enumerate(range(0, size_bytes, part_bytes), start=1)
    }


class DirectUploads(Protocol):
    """See above. Thread-safe; calls block; ObjectStoreUnavailable from each but `url`."""

    def begin(self, name: ObjectName, size_bytes: int) -> Upload:
        """Begin an upload of 1 byte or more."""
        ...

    def url(self, name: ObjectName, token: str, part: int) -> str:
        """Where to PUT a part: for 15 minutes, that part and no other. A secret: never log it. UploadGone."""
        ...

    def parts(self, name: ObjectName, token: str) -> Mapping[int, int]:
        """The parts that are there, and their lengths: what a client that was cut need not send. UploadGone."""
        ...

    def complete(self, name: ObjectName, token: str, size_bytes: int) -> None:
        """Verify and show the object; again is safe. UploadIncomplete, UploadGone.

        DigestMismatch: what was uploaded is removed.
        """
        ...

    def abort(self, name: ObjectName, token: str) -> None:
        """Remove what was uploaded. Idempotent."""
        ...


@runtime_checkable
class TakesUploads(Protocol):
    """An object store that clients can write to."""

    @property
    def uploads(self) -> DirectUploads:
        """Theirs."""
        ...
