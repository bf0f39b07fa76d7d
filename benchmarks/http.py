"""What a call costs over HTTP beside gRPC, from one caller: a small one, and one of megabytes.

In turn, so that whatever else the machine does weighs on both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import fleetlog
from fleetlog._transport.connection import connection_to
from fleetlog_proto.v1 import artifact_pb2, query_pb2
from google.protobuf.message import Message

from benchmarks.figure import Figure, quantile
from benchmarks.server import running

CALLS = 300
LARGE_CALLS = 30
SMALL_RUN_PARAMS = 20
FILES = 10_000
PATH = "/fleetlog.v1.QueryService/"


def measure() -> Iterator[Figure]:
    """On a server of its own."""
    with running() as server:
        with fleetlog.start_run(
            "http", params={f"p{n}": n for n in range(SMALL_RUN_PARAMS)}, target=server.target
        ) as run:
            for number in range(FILES):
                run.log_text("", f"files/{'x' * 300}/{number}")
            run.flush(600, level="applied")
        query, http = connection_to(server.target).query, HTTPConnection(server.web.removeprefix("http://"))
        small = query_pb2.GetRunRequest(run_id=run.id)
        direct, over = _both(lambda: query.GetRun(small), _posted(http, "GetRun", small), CALLS)
        beside = (quantile(over, 0.5) - quantile(direct, 0.5)) * 1e3
        detail = f"p50 {quantile(over, 0.5) * 1e3:.1f} ms, over gRPC {quantile(direct, 0.5) * 1e3:.1f}"
        yield Figure("a run over HTTP, beside the call", beside, "ms", 2, True, detail)
        large = artifact_pb2.ListArtifactsRequest(run_id=run.id, page_size=FILES)
        size = query.ListArtifacts(large).ByteSize()
        direct, over = _both(lambda: query.ListArtifacts(large), _posted(http, "ListArtifacts", large), LARGE_CALLS)
        times = quantile(over, 0.5) / quantile(direct, 0.5)
        yield Figure(f"an answer of {size / 1e6:.1f} MB over HTTP", times, "× gRPC", 1.6, True, "")
        http.close()


def _posted(http: HTTPConnection, name: str, request: Message) -> Callable[[], object]:
    body = request.SerializeToString()

    def call() -> object:
        http.request("POST", PATH + name, body, {"content-type": "application/proto"})
        answer = http.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise AssertionError(data)
        return data

    return call


def _both(direct: Callable[[], object], over: Callable[[], object], count: int) -> tuple[list[float], list[float]]:
    """Seconds of each call, in turn."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for call, seconds in zip((direct, over), found, strict=True):
            begun = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begun)
    return found
