"""A server behind a real port that answers what a test tells it to: what no server of ours would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from fleetlog_proto.v1 import ingest_pb2_grpc, query_pb2_grpc

Handler = Callable[[Any, Any], Any]
"""Takes request and context; answers a message, or yields them."""


@contextmanager
def strange_server(**handlers: Handler) -> Iterator[str]:
    """Its address. `handlers` by the name of their call; the others are UNIMPLEMENTED."""
    answering = {name: staticmethod(handler) for name, handler in handlers.items()}
    query: Any = type("Query", (query_pb2_grpc.QueryServiceServicer,), answering)
    ingest: Any = type("Ingest", (ingest_pb2_grpc.IngestServiceServicer,), answering)
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    query_pb2_grpc.add_QueryServiceServicer_to_server(query(), server)
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(ingest(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
