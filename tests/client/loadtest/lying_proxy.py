"""A proxy in front of a server, which passes every call on, and may change or break what workers send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from fleetlog_proto.v1 import ingest_pb2

Change = Callable[[ingest_pb2.AppendEventsRequest], None]
"""Changes a request before it is passed on. An exception breaks the stream."""
APPEND = "/fleetlog.v1.IngestService/AppendEvents"
_STREAMS = 100
_MOST_SECONDS = 3600


class _Passing(grpc.GenericRpcHandler):
    """Every call as a stream of bytes both ways: on the wire all kinds of calls are that."""

    def __init__(self, channel: grpc.Channel, change: Change) -> None:
        self._channel, self._change = channel, change

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        calls: Any = self._channel.stream_stream(method)

        def passed(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            metadata = [item for item in context.invocation_metadata() if not item[0].startswith(("grpc-", "user-"))]
            left = context.time_remaining()
            # A call without a deadline has centuries, which a call can't be given.
            timeout = None if left is None or left > _MOST_SECONDS else left
            call = calls(self._changed(method, requests), metadata=metadata, timeout=timeout)
            context.add_callback(call.cancel)
            try:
                yield from call
            except grpc.RpcError:
                context.set_trailing_metadata(tuple(call.trailing_metadata() or ()))
                context.abort(call.code(), call.details())

        return grpc.stream_stream_rpc_method_handler(passed)

    def _changed(self, method: str, requests: Iterator[bytes]) -> Iterator[bytes]:
        for data in requests:
            if method != APPEND:
                yield data
                continue
            request = ingest_pb2.AppendEventsRequest.FromString(data)
            self._change(request)
            yield request.SerializeToString()


@contextmanager
def lying_proxy(target: str, change: Change) -> Iterator[str]:
    """The proxy's address."""
    with ThreadPoolExecutor(_STREAMS) as pool, grpc.insecure_channel(target) as channel:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((_Passing(channel, change),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait()
