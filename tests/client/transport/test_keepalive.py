"""A connection whose packets are lost is noticed by every call on it, soon."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fleetlog._transport import connection
from fleetlog._transport.connection import Connection
from fleetlog.errors import DeadlineExceeded, Unavailable
from fleetlog_core import keepalive
from fleetlog_proto.v1 import position_pb2, query_pb2, watch_pb2

from tests.core.proxy import Proxy

NOTICED_SECONDS = 30
SCALE = 10
TIMES = ("grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms")


def test_both_ends_agree_and_notice_within_half_a_minute() -> None:
    client, server = dict(keepalive.CLIENT), dict(keepalive.SERVER)
    for timeout in ("grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms"):
        assert client["grpc.keepalive_time_ms"] + client[timeout] < NOTICED_SECONDS * 1000
    assert client["grpc.keepalive_time_ms"] >= 2 * server["grpc.http2.min_ping_interval_without_data_ms"]
    assert set(keepalive.CLIENT) <= set(connection.CHANNEL_OPTIONS)


def test_a_stream_and_a_call_end_when_their_connection_is_half_open(
    embedded_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a tenth of the times."""
    soon = [(name, value // SCALE if name in TIMES else value) for name, value in connection.CHANNEL_OPTIONS]
    monkeypatch.setattr(connection, "CHANNEL_OPTIONS", tuple(soon))
    host, port = embedded_target.rsplit(":", 1)
    with Proxy(host, int(port)) as proxy, ThreadPoolExecutor(1) as threads:
        half = Connection(f"127.0.0.1:{proxy.port}")
        request = query_pb2.ListExperimentsRequest()
        half.call(half.query.ListExperiments, request)
        watch = half.query.WatchRuns(watch_pb2.WatchRunsRequest())
        next(watch)
        proxy.stall()
        began = time.monotonic()
        call = threads.submit(lambda: half.query.ListExperiments(request, timeout=NOTICED_SECONDS))
        with pytest.raises(Unavailable), half.calling():
            next(watch)
        with pytest.raises(Unavailable), half.calling():
            call.result()
        assert time.monotonic() - began < NOTICED_SECONDS / 2
        half.close()


def test_a_call_that_waits_long_is_not_taken_for_a_flood_of_pings(
    embedded_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far more pings than a server lets pass that does not expect them: it would end the connection at the third."""
    soon = [(name, 1_500 if name == "grpc.keepalive_time_ms" else value) for name, value in connection.CHANNEL_OPTIONS]
    monkeypatch.setattr(connection, "CHANNEL_OPTIONS", tuple(soon))
    waiting = Connection(embedded_target)
    waits = query_pb2.WaitForPositionRequest(
        position=position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic="events", next_offset=1 << 40)])
    )
    with pytest.raises(DeadlineExceeded), waiting.calling():
        waiting.query.WaitForPosition(waits, timeout=12)
    waiting.close()
