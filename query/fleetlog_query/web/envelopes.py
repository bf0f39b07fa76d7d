"""Connect's envelopes: one byte of flags, four bytes of length (big endian), and so many bytes of a message."""

from __future__ import annotations

import struct
from collections.abc import Iterator

HEAD = struct.Struct(">BI")
COMPRESSED, END = 0x01, 0x02
"""Flags: the message is compressed; it is the last envelope of a response, and says how the stream ended."""


class EnvelopeInvalid(ValueError):
    """What was sent is no sequence of envelopes; the text says why."""


def envelope(message: bytes, flags: int = 0) -> bytes:
    """The message in an envelope."""
    return HEAD.pack(flags, len(message)) + message


def messages_in(body: bytes) -> Iterator[bytes]:
    """The messages of a request, one after another. EnvelopeInvalid."""
    place = 0
    while place < len(body):
        if len(body) - place < HEAD.size:
            raise EnvelopeInvalid(f"{len(body) - place} bytes follow the last envelope; each begins with {HEAD.size}")
        flags, length = HEAD.unpack_from(body, place)
        place += HEAD.size
        if flags & COMPRESSED:
            raise EnvelopeInvalid("a message is compressed; send it as it is")
        if flags:
            raise EnvelopeInvalid(f"flags of {flags:#04x} are not known; messages of a request have 0")
        if length > len(body) - place:
            raise EnvelopeInvalid(f"an envelope of {length:,} bytes has {len(body) - place:,}")
        yield body[place : place + length]
        place += length
