"""Peers that begin calls and reset them: kept out, while others are served by the same port."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from fleetlog_core.rates.resets import BUSY_CALLS
from fleetlog_core.serving.floods import REASON, address_of
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import ingest_pb2, metric_pb2, query_pb2

from tests.core.serving.numbers import numbers
from tests.core.serving.servers import INGEST, QUERY, Served, served

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, END_HEADERS = 1, 3, 4, 4
OWN_POOL = (("grpc.use_local_subchannel_pool", 1),)
RUDE = "127.0.0.2"
TOGETHER = 100
"""Calls at a time: fewer than a connection may have."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def resets(count: int) -> bytes:
    """A connection's first bytes: calls of GetRun, each reset behind its headers."""
    texts = (
        (":method", "POST"), (":scheme", "http"), (":path", f"/{QUERY}/GetRun"), (":authority", "localhost"),
        ("te", "trailers"), ("content-type", "application/grpc"),
    )  # fmt: skip
    headers = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in texts)
    calls = (
        frame(HEADERS, END_HEADERS, stream, headers) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
        for stream in range(1, 2 * count, 2)
    )
    return PREFACE + frame(SETTINGS, 0, 0, b"") + b"".join(calls)


async def flood(port: int) -> None:
    """Over new connections from an address of its own, until no more are taken."""
    while True:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, local_addr=(RUDE, 0)), timeout=0.5
        )
        with contextlib.suppress(OSError):
            writer.write(resets(100))
            await writer.drain()
        writer.close()


async def every_kind(server: Served) -> None:
    """A call of each shape."""
    assert await server.unary(query_pb2.GetRunRequest().SerializeToString()) == b""
    channel: Any = server.channel
    answers = channel.unary_stream(f"/{QUERY}/ReadMetric")(metric_pb2.ReadMetricRequest().SerializeToString())
    assert [answer async for answer in answers] == [b"", b""]
    message = ingest_pb2.UploadArtifactRequest().SerializeToString()
    assert await channel.stream_unary(f"/{INGEST}/UploadArtifact")(iter([message] * 3)) == b""
    answers = channel.stream_stream(f"/{INGEST}/AppendEvents")(iter([message] * 3))
    assert [answer async for answer in answers] == [b""] * 3


async def as_soon_as_it_can(server: Served) -> None:
    """A call of each shape. While gRPC has not yet looked at all that the flood left, it may drop anybody's."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await every_kind(server)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.CANCELLED:
                    raise


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can refuse an address")
def test_who_floods_with_resets_is_kept_out_and_others_are_served() -> None:
    telemetry = Telemetry()

    async def scenario() -> None:
        async with served(telemetry=telemetry) as server:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(flood(server.port), 60)
            assert numbers(telemetry.text())["fleetlog_limited_total", REASON] == 1
            await as_soon_as_it_can(server)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=OWN_POOL) as fresh:
                assert await replace(server, channel=fresh).unary(b"", wait_for_ready=True) == b""

    asyncio.run(scenario())


def test_calls_that_are_looked_at_are_served_as_others() -> None:
    telemetry = Telemetry()

    async def scenario() -> None:
        async with served(telemetry=telemetry) as server:
            for _ in range(BUSY_CALLS // TOGETHER + 4):
                await asyncio.gather(*(server.unary(b"") for _ in range(TOGETHER)))
                await every_kind(server)

    asyncio.run(scenario())
    assert ("fleetlog_limited_total", REASON) not in numbers(telemetry.text())


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:5555", "10.0.0.7"),
        (f"ipv6:{quote('[2001:db8::1]')}:5555", "2001:db8::1"),
        (f"ipv6:{quote('[fe80::1%eth0]')}:5555", "fe80::1"),
        (f"ipv6:{quote('[::ffff:10.0.0.7]')}:5555", "10.0.0.7"),
        ("unix:/run/fleetlog/grpc", ""),
        ("unix:", ""),
    ],
)
def test_addresses_of_peers(peer: str, address: str) -> None:
    assert address_of(peer) == address
