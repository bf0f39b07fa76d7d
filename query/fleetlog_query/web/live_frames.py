"""Frames of the WebSocket /live: several streams on one connection.

From the client   stream number (4 bytes, big endian), 0 = open, length of the path (1 byte), the path, the request
                  stream number, 1 = cancel
From the server   stream number, 0 = message, the message
                  stream number, 1 = end
                  stream number, 2 = error, the error as JSON

The client chooses the numbers; one is free again when the stream has ended. The path is that of a call, without the
slash at its beginning; messages are protobuf's bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD = struct.Struct(">IB")
OPEN, CANCEL = 0, 1
MESSAGE, END, ERROR = 0, 1, 2


class FrameInvalid(ValueError):
    """What was sent is no frame."""


@dataclass(frozen=True)
class Opening:
    """A stream that a client wants."""

    stream: int
    path: str
    """As methods.METHODS has it."""
    request: bytes


@dataclass(frozen=True)
class Cancel:
    """A stream that it wants no longer."""

    stream: int


def parse_frame(data: bytes) -> Opening | Cancel:
    """A frame of a client. FrameInvalid."""
    if len(data) < HEAD.size:
        raise FrameInvalid(f"a frame has {HEAD.size} bytes at least")
    stream, kind = HEAD.unpack_from(data)
    if kind == CANCEL:
        return Cancel(stream)
    if kind != OPEN or len(data) == HEAD.size:
        raise FrameInvalid(f"{kind} is no kind of frame: 0 opens a stream, 1 cancels it")
    path_end = HEAD.size + 1 + data[HEAD.size]
    if path_end > len(data):
        raise FrameInvalid("the path is cut")
    return Opening(stream, "/" + data[HEAD.size + 1 : path_end].decode("latin-1"), data[path_end:])


def frame(stream: int, kind: int, data: bytes = b"") -> bytes:
    """A frame of the server."""
    return HEAD.pack(stream, kind) + data
