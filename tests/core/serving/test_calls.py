"""Calls are counted with how they ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable

import grpc
import pytest
from fleetlog_core.errors import NotFound
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import ingest_pb2

from tests.core.serving.numbers import numbers
from tests.core.serving.servers import INGEST, QUERY, served

RPC = "QueryService/GetRun"


def ended(telemetry: Telemetry) -> dict[tuple[str, str], float]:
    """(rpc, status) → calls."""
    counted = numbers(telemetry.text()).items()
    return {(key[1], key[2]): value for key, value in counted if key[0] == "fleetlog_rpc_seconds_count"}


async def reached(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def answers(call: AsyncIterable[object]) -> list[object]:
    return [answer async for answer in call]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (None, "OK", None),
        (NotFound("RUN_NOT_FOUND", "there is no run"), "NOT_FOUND", "RUN_NOT_FOUND"),
        (RuntimeError("ours"), "INTERNAL", "INTERNAL"),
    ],
)
def test_by_status_and_reason(error: Exception | None, status: str, reason: str | None) -> None:
    async def behave() -> None:
        if error is not None:
            raise error

    async def scenario() -> None:
        telemetry = Telemetry()
        async with served(behave, telemetry) as server:
            for _ in range(2):
                await asyncio.gather(server.unary(b""), return_exceptions=True)
            stream = server.channel.stream_stream(
                f"/{INGEST}/AppendEvents",
                request_serializer=ingest_pb2.AppendEventsRequest.SerializeToString,
                response_deserializer=ingest_pb2.AppendEventsResponse.FromString,
            )
            call = stream(iter([ingest_pb2.AppendEventsRequest()]))
            await asyncio.gather(answers(call), return_exceptions=True)
            assert (await call.code()).name == status
            await reached(lambda: len(ended(telemetry)) == 2)
        assert ended(telemetry) == {(RPC, status): 2, ("IngestService/AppendEvents", status): 1}
        told = numbers(telemetry.text())
        assert told.get(("fleetlog_rpc_failures_total", reason or "", RPC)) == (2 if reason else None)
        assert told["fleetlog_rpcs_open", RPC] == 0

    asyncio.run(scenario())


def test_callers_who_leave_and_deadlines() -> None:
    async def scenario() -> None:
        telemetry, begun = Telemetry(), asyncio.Event()

        async def behave() -> None:
            begun.set()
            await asyncio.Event().wait()

        async with served(behave, telemetry) as server:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = server.channel.unary_unary(f"/{QUERY}/GetRun")
            leaving = call(b"")
            await begun.wait()
            assert numbers(telemetry.text())["fleetlog_rpcs_open", RPC] == 1
            leaving.cancel()
            await reached(lambda: (RPC, "CANCELLED") in ended(telemetry))
            begun.clear()
            seconds = 0.2
            while not begun.is_set():
                # On a busy machine a call may be over before the server has heard of it: that one counts nowhere.
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(b"", timeout=seconds)
                seconds *= 2
            await reached(lambda: (RPC, "DEADLINE_EXCEEDED") in ended(telemetry))
        assert ended(telemetry) == {(RPC, "CANCELLED"): 1, (RPC, "DEADLINE_EXCEEDED"): 1}

    asyncio.run(scenario())
