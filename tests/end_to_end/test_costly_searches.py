"""Searches that would work for minutes: they end by their deadlines, deny nobody, and end with the server."""

from __future__ import annotations

import random
import signal
import statistics
import time
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core import limits
from fleetlog_proto.v1 import query_pb2, query_pb2_grpc
from grpc_health.v1 import health_pb2

from tests.end_to_end.test_kill import start
from tests.faults.sizes import sized
from tests.ports import free_port

RUNS = sized(100, 400)
SEARCHES = 12
DEADLINE_SECONDS = 2.0
SLACK_SECONDS = 30.0
"""What a search may end after its deadline, on a machine with much else to do."""
STOP_SECONDS = 30.0
"""On such a machine too; what was left unbounded took minutes."""
COSTLY = "tags.note MATCHES 'a(a|b){250}z'"
"""Found in no text, and tried again at each letter: about 100 ms for each of them."""


def fill(target: str) -> None:
    chance = random.Random(5)
    for number in range(RUNS):
        text = "".join(chance.choices("ab", k=limits.TEXT_BYTES - 1)) + "z"
        with fleetlog.start_run("costly", f"run {number}", target=target) as run:
            run.set_tag("note", text)
    run.flush(60)


def search(text: str) -> query_pb2.SearchRunsRequest:
    return query_pb2.SearchRunsRequest(experiment_names=["costly"], filter=text, page_size=10)


def seconds_of(query: query_pb2_grpc.QueryServiceStub) -> float:
    begun = time.monotonic()
    assert query.SearchRuns(search("name = 'run 3'"), timeout=30.0).runs
    return time.monotonic() - begun


@pytest.mark.timeout(240)
def test_costly_searches_end_by_their_deadline_and_deny_nobody(tmp_path: Path) -> None:
    port = free_port()
    target = f"127.0.0.1:{port}"
    server = start(tmp_path / "data", port)
    try:
        fill(target)
        with grpc.insecure_channel(target) as attacking, grpc.insecure_channel(target) as channel:
            attack, query = query_pb2_grpc.QueryServiceStub(attacking), query_pb2_grpc.QueryServiceStub(channel)
            health = channel.unary_unary(
                "/grpc.health.v1.Health/Check", bytes, health_pb2.HealthCheckResponse.FromString
            )  # fmt: skip
            alone = statistics.median(seconds_of(query) for _ in range(10))
            begun = time.monotonic()
            calls = [attack.SearchRuns.future(search(COSTLY), timeout=DEADLINE_SECONDS) for _ in range(SEARCHES)]
            beside = []
            while not all(call.done() for call in calls):
                beside.append(seconds_of(query))
                assert health(b"", timeout=10.0).status == health_pb2.HealthCheckResponse.SERVING
            assert time.monotonic() - begun < DEADLINE_SECONDS + SLACK_SECONDS
            assert {call.code() for call in calls} <= {
                grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED
            }  # fmt: skip
            # Two of them work at a time, on two cores: everybody has a part of the machine.
            assert statistics.median(beside) < 10 * alone + 0.2
            # Those that nobody waits for work no more.
            seconds_of(query)
            calls = [attack.SearchRuns.future(search(COSTLY), timeout=600.0) for _ in range(SEARCHES)]
            seconds_of(query)
            server.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            assert server.wait(60) == 0
            assert time.monotonic() - begun < STOP_SECONDS
            assert all(call.exception(SLACK_SECONDS) is not None for call in calls)
    finally:
        server.kill()
        server.wait()
