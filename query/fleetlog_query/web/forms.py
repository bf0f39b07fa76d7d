"""Forms in which messages travel: protobuf's bytes, which pass through unread, and protobuf's JSON."""

from __future__ import annotations

import asyncio
from typing import Protocol

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.serving.status import cut
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

INLINE_BYTES = 32 * 1024
"""Larger messages become JSON, or are made of it, in a thread: others are answered meanwhile."""


class Form(Protocol):
    """One of the forms."""

    suffix: str
    """End of its content types: application/SUFFIX, application/connect+SUFFIX."""

    async def decoded(self, data: bytes, kind: type[Message]) -> bytes:
        """The bytes of a message that came in this form. InvalidArgument JSON_INVALID."""
        ...

    async def encoded(self, data: bytes, kind: type[Message]) -> bytes:
        """A message's bytes in this form."""
        ...


class Binary:
    """See Form."""

    suffix = "proto"

    async def decoded(self, data: bytes, kind: type[Message]) -> bytes:
        """See Form."""
        return data

    async def encoded(self, data: bytes, kind: type[Message]) -> bytes:
        """See Form."""
        return data


class Json:
    """See Form."""

    suffix = "json"

    async def decoded(self, data: bytes, kind: type[Message]) -> bytes:
        """See Form."""
        if len(data) <= INLINE_BYTES:
            return from_json(data, kind)
        return await asyncio.to_thread(from_json, data, kind)

    async def encoded(self, data: bytes, kind: type[Message]) -> bytes:
        """See Form."""
        if len(data) <= INLINE_BYTES:
            return to_json(data, kind)
        return await asyncio.to_thread(to_json, data, kind)


BINARY, JSON = Binary(), Json()


def from_json(data: bytes, kind: type[Message]) -> bytes:
    """The bytes of a message of which the JSON is given; of none, that of nothing. InvalidArgument JSON_INVALID."""
    try:
        return json_format.Parse(data.decode() or "{}", kind()).SerializeToString()
    except UnicodeDecodeError as error:
        raise InvalidArgument("JSON_INVALID", f"the body is no UTF-8 at byte {error.start}; send JSON") from None
    except (json_format.ParseError, RecursionError) as error:
        name = kind.DESCRIPTOR.full_name
        raise InvalidArgument("JSON_INVALID", cut(f"the body is no JSON of {name}: {error}")) from None


def to_json(data: bytes, kind: type[Message]) -> bytes:
    """The message as JSON, on one line."""
    try:
        message = kind.FromString(data)
    except DecodeError as error:
        raise ValueError(f"a server's answer is no {kind.DESCRIPTOR.full_name}") from error
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()
