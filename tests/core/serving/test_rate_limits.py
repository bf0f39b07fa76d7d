"""Callers over a limit at a port: unary calls are refused, streams that write are slowed, and others are served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from fleetlog_core.rates.limiter import Limiter
from fleetlog_core.rates.limits import Limits, Rate, ServerLimits
from fleetlog_core.serving.rate_limits import LimitsInterceptor
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import facets_pb2, frame_pb2, ingest_pb2, query_pb2, scope_pb2
from google.rpc import error_details_pb2, status_pb2

from tests.core.serving.numbers import numbers
from tests.core.serving.test_authorization import Everything, services
from tests.end_to_end.refusals import points

QUERY, INGEST = "/fleetlog.v1.QueryService/", "/fleetlog.v1.IngestService/"
EVER = 1e9
"""Seconds' worth that is used at once: a rate that never runs out."""


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Port:
    """A server of every call of the contract, its limits, and a channel to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.limiter = Limiter(clock=self.clock)
        self.telemetry = Telemetry()
        self.behind = Everything()
        self.channel: Any = None

    def limit(self, burst_seconds: float = 1.0, **limits: Any) -> None:
        self.limiter.change(ServerLimits(Limits(**limits), burst_seconds=burst_seconds))

    def limited(self, reason: str) -> float:
        """Number of times that a limit held."""
        return numbers(self.telemetry.text()).get(("fleetlog_limited_total", reason), 0.0)


@asynccontextmanager
async def served() -> AsyncIterator[Port]:
    port = Port()
    server = GrpcServer("127.0.0.1", 0, limits=LimitsInterceptor(port.limiter, port.telemetry))
    for service in services():
        server.add(lambda inner, service=service: port.behind.register(service, inner), service.full_name)  # type: ignore[misc]
    number = await server.start()
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{number}", options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        port.channel = channel
        try:
            yield port
        finally:
            await asyncio.shield(server.drain(0.0))


def told(error: grpc.aio.AioRpcError) -> tuple[str, str, float]:
    """Code, reason, and seconds of RetryInfo of a refusal."""
    reason, seconds = "", 0.0
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    reason = info.reason
                elif detail.Unpack(retry):
                    seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return error.code().name, reason, seconds


async def refused(call: Any) -> tuple[str, str, float]:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return told(failed.value)


def frame_of(*steps: int, namespace: str = "n") -> bytes:
    frame = frame_pb2.Frame(
        namespace=namespace, run_id=b"r" * 16, writer_id=b"w" * 16, events=[points(1, *(steps or (0,)))]
    )
    return ingest_pb2.AppendEventsRequest(frame=frame).SerializeToString()


def keys_of(namespace: str) -> bytes:
    return facets_pb2.ListKeysRequest(scope=scope_pb2.RunScope(namespace=namespace)).SerializeToString()


def test_calls_over_the_rate_are_refused_with_the_time_to_come_back_and_counted() -> None:
    async def scenario() -> None:
        async with served() as port:
            port.limit(calls_per_second=2)
            get = port.channel.unary_unary(f"{QUERY}GetRun")
            for _ in range(2):
                await get(b"", timeout=60)
            assert await refused(get(b"", timeout=60)) == ("RESOURCE_EXHAUSTED", "CALL_RATE", 0.5)
            assert port.limited("CALL_RATE") == 1
            health = port.channel.unary_unary("/grpc.health.v1.Health/Check")
            await health(b"", timeout=60)
            port.clock.now = 0.5
            await get(b"", timeout=60)

    asyncio.run(scenario())


def test_a_namespace_has_limits_of_its_own_wherever_a_message_names_it() -> None:
    async def scenario() -> None:
        async with served() as port:
            port.limiter.change(ServerLimits(namespace=Limits(calls_per_second=1), burst_seconds=1.0))
            get = port.channel.unary_unary(f"{QUERY}GetRun")
            search = port.channel.unary_unary(f"{QUERY}ListKeys")
            await get(query_pb2.GetRunRequest(namespace="n").SerializeToString(), timeout=60)
            assert (await refused(search(keys_of("n"), timeout=60)))[1] == "CALL_RATE"
            await search(keys_of("m"), timeout=60)

    asyncio.run(scenario())


def test_a_stream_that_writes_too_much_is_slowed_and_nothing_of_it_is_refused() -> None:
    async def scenario() -> None:
        async with served() as port:
            # What is above the burst is paid for in hundredths of a second.
            port.limit(points_per_second=100_000, burst_seconds=0.001)
            stream = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            for _ in range(4):
                await stream.write(frame_of(*range(2_000)))
                assert await stream.read() == b""
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF
            assert (len(port.behind.seen), port.limited("POINT_RATE")) == (4, 3)

    asyncio.run(scenario())


def test_a_stream_that_owes_more_than_its_client_waits_ends_with_the_time_to_come_back() -> None:
    async def scenario() -> None:
        async with served() as port:
            port.limit(points_per_second=1)
            stream = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            await stream.write(frame_of(*range(101)))
            assert await stream.read() == b""
            await stream.write(frame_of(0))
            found = await refused(stream.read())
            assert found == ("RESOURCE_EXHAUSTED", "POINT_RATE", 100.0)
            assert len(port.behind.seen) == 1
            # Another stream of the caller does not get round it, and a read does not wait for what was written.
            again = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            await again.write(frame_of(0))
            assert (await refused(again.read()))[1] == "POINT_RATE"
            update = port.channel.unary_unary(f"{INGEST}UpdateRun")
            assert await refused(update(b"", timeout=60)) == ("RESOURCE_EXHAUSTED", "POINT_RATE", 100.0)
            await port.channel.unary_unary(f"{QUERY}GetRun")(b"", timeout=60)
            port.clock.now = 100.0
            again = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            await again.write(frame_of(0))
            assert await again.read() == b""

    asyncio.run(scenario())


def test_of_two_streams_of_one_caller_each_has_its_turn() -> None:
    async def scenario() -> None:
        async with served() as port:
            port.limit(points_per_second=100_000, burst_seconds=0.001)
            first, second = (port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100) for _ in range(2))
            await first.write(frame_of(*range(5_000)))
            assert await first.read() == b""
            for _ in range(3):
                for stream in (first, second):
                    await stream.write(frame_of(*range(1_000)))
                for stream in (first, second):
                    assert await stream.read() == b""
            assert port.limited("POINT_RATE") == 6
            first.cancel()
            second.cancel()

    asyncio.run(scenario())


def test_a_second_message_that_names_another_namespace_is_charged_there() -> None:
    async def scenario() -> None:
        async with served() as port:
            port.limiter.change(ServerLimits(namespace=Limits(points_per_second=1), burst_seconds=10.0))
            stream = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            for namespace in ("a", "b"):
                await stream.write(frame_of(*range(10), namespace=namespace))
                assert await stream.read() == b""
            payers = [port.limiter.payer("x", [namespace]).owed()[0] for namespace in ("a", "b", "c")]
            for namespace in ("a", "b"):
                port.limiter.payer("x", [namespace]).spend({Rate.POINTS: 1.0})
            after = [port.limiter.payer("x", [namespace]).owed()[0] for namespace in ("a", "b", "c")]
            assert (payers, after) == ([0.0, 0.0, 0.0], [1.0, 1.0, 0.0])
            stream.cancel()

    asyncio.run(scenario())


def test_streams_and_watches_that_are_open_are_bounded_and_make_room_when_they_end() -> None:
    async def scenario() -> None:
        async with served() as port:
            port.limit(burst_seconds=EVER, streams=1, watches=1)
            first = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            await first.write(frame_of(0))
            assert await first.read() == b""
            second = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            assert (await refused(second.read()))[:2] == ("RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS")
            # A watch is counted by itself.
            watch = port.channel.unary_stream(f"{QUERY}WatchRuns")(b"", timeout=100)
            assert await watch.read() == b""
            await first.done_writing()
            assert await first.read() is grpc.aio.EOF
            third = port.channel.stream_stream(f"{INGEST}AppendEvents")(timeout=100)
            await third.write(frame_of(0))
            assert await third.read() == b""
            third.cancel()

    asyncio.run(scenario())
