from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import grpc
import pytest
from fleetlog_core.serving.server import GrpcServer, PortTaken
from fleetlog_proto.v1 import ingest_pb2, ingest_pb2_grpc, metric_pb2, query_pb2, query_pb2_grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tests.core.serving.servers import INGEST, QUERY, Served, served

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def status_in(answer: object) -> int:
    assert isinstance(answer, bytes), "the stream ended"
    return health_pb2.HealthCheckResponse.FromString(answer).status


async def health_of(it: Served, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return status_in(await it.unary(request, f"{HEALTH}/Check"))


def test_health_of_the_whole_and_of_each_service() -> None:
    async def scenario() -> None:
        async with served() as it:
            for name in ("", QUERY, INGEST):
                assert await health_of(it, name) == SERVING
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await health_of(it, "nobody")
            assert unknown.value.code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(scenario())


def test_who_watches_the_health_sees_the_drain() -> None:
    async def scenario() -> None:
        async with served() as it:
            method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = it.channel.unary_stream(f"{HEALTH}/Watch")
            watch = method(health_pb2.HealthCheckRequest(service=QUERY).SerializeToString(), timeout=30)
            assert status_in(await watch.read()) == SERVING
            draining = asyncio.create_task(it.server.drain(5.0))
            assert status_in(await watch.read()) == NOT_SERVING
            watch.cancel()
            await draining

    asyncio.run(scenario())


def test_reflection_names_the_services_and_their_messages() -> None:
    async def scenario() -> None:
        async with served() as it:

            async def questions() -> AsyncIterator[bytes]:
                yield reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
                yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=QUERY).SerializeToString()
                yield reflection_pb2.ServerReflectionRequest(
                    file_containing_symbol="no.such.Symbol"
                ).SerializeToString()

            method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = it.channel.stream_stream(REFLECTION)
            listed, found, missing = [
                reflection_pb2.ServerReflectionResponse.FromString(one) async for one in method(questions(), timeout=30)
            ]
            names = {service.name for service in listed.list_services_response.service}
            assert names >= {QUERY, INGEST, "grpc.health.v1.Health"}
            assert found.file_descriptor_response.file_descriptor_proto
            assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

    asyncio.run(scenario())


def test_a_drain_lets_calls_end_and_takes_no_new_ones() -> None:
    async def scenario() -> None:
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def behave() -> None:
            begun.set()
            await may_end.wait()

        async with served(behave) as it:
            running = asyncio.create_task(it.unary(b""))
            await begun.wait()
            draining = asyncio.create_task(it.server.drain(30.0))

            async def refused() -> bool:
                try:
                    await asyncio.wait_for(it.unary(b"", f"{HEALTH}/Check"), 5)
                except grpc.aio.AioRpcError as error:
                    return error.code() is grpc.StatusCode.UNAVAILABLE
                return False

            deadline = time.monotonic() + 30
            while not await refused():
                assert time.monotonic() < deadline
            assert not draining.done()
            may_end.set()
            assert await running == b""
            await draining

    asyncio.run(scenario())


def test_a_drain_ends_calls_that_do_not_end() -> None:
    async def scenario() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def behave() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def frames() -> AsyncIterator[ingest_pb2.AppendEventsRequest]:
            yield ingest_pb2.AppendEventsRequest()
            await asyncio.Event().wait()

        async with served(behave) as it:
            reading = query_pb2_grpc.QueryServiceStub(it.channel).ReadMetric(metric_pb2.ReadMetricRequest())
            writing = ingest_pb2_grpc.IngestServiceStub(it.channel).AppendEvents(frames())
            await reading.read()
            await writing.read()
            await begun.wait()
            started = time.monotonic()
            await it.server.drain(0.1)
            assert time.monotonic() - started < 10
            await asyncio.wait_for(ended.wait(), 30)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await reading.read()
            assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
            await it.server.drain(0.1)  # once more does no harm

    asyncio.run(scenario())


@pytest.mark.parametrize("call", ["GetRun", "ReadMetric"])
def test_a_caller_who_leaves_ends_the_work_for_it(call: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def behave() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with served(behave) as it:
            stub = query_pb2_grpc.QueryServiceStub(it.channel)
            if call == "GetRun":
                stub.GetRun(query_pb2.GetRunRequest(), timeout=0.2)
            else:
                await (reading := stub.ReadMetric(metric_pb2.ReadMetricRequest())).read()
                await begun.wait()
                reading.cancel()
            await asyncio.wait_for(ended.wait(), 30)
            await it.unary(b"", f"{HEALTH}/Check")

    asyncio.run(scenario())
    assert "a call failed" not in caplog.text


def test_an_address_that_cannot_be_had_is_told_apart(capfd: pytest.CaptureFixture[str]) -> None:
    async def attempt(host: str, port: int) -> str:
        server = GrpcServer(host, port)
        with pytest.raises(PortTaken) as caught:
            await server.start()
        return str(caught.value)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        taken = asyncio.run(attempt("127.0.0.1", port))
    assert taken == f"127.0.0.1:{port} is taken: give another --port, or stop what listens there"
    foreign = asyncio.run(attempt("192.0.2.1", 0))
    assert foreign.startswith("192.0.2.1 is no address of this machine")
    unknown = asyncio.run(attempt("nowhere.invalid", 0))
    assert unknown.startswith("nowhere.invalid is no address of this machine")
    assert capfd.readouterr().err == "", "the library's own words are for nobody"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_it_listens_where_it_is_told(host: str) -> None:
    async def scenario() -> None:
        server = GrpcServer(host, 0)
        port = await server.start()
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        async with grpc.aio.insecure_channel(target) as channel:
            assert await health_of(Served(server, channel, port), "") == SERVING
        await server.drain(0.0)

    asyncio.run(scenario())
