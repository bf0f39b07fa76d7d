"""A handler in the place of another one: of its kind, with something done around its behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

Behaviour = Callable[..., Any]
Around = Callable[[Behaviour], Behaviour]
"""Makes a behaviour that calls the one it is given."""


def wrapped(
    handler: Any, *, unary_unary: Around, unary_stream: Around, stream_unary: Around, stream_stream: Around,
    deserialize: Callable[[bytes], Any] | None = None,
) -> Any:  # fmt: skip
    """The handler with what is done around its kind of behaviour. `deserialize` reads requests; None = its own."""
    codec = deserialize or handler.request_deserializer, handler.response_serializer
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(stream_stream(handler.stream_stream), *codec)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(stream_unary(handler.stream_unary), *codec)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(unary_stream(handler.unary_stream), *codec)
    return grpc.unary_unary_rpc_method_handler(unary_unary(handler.unary_unary), *codec)
