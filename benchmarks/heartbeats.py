"""What writers that log nothing cost a server: ten thousand streams, each of a run that says that it lives.

They say so as the client does: as often as the server tells. CPU is the server's own, of its process, and that of the
same streams without heartbeats is taken off.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator

import grpc
import psutil
from fleetlog._delivery.heartbeats import seconds_to_look
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc

from benchmarks.figure import Figure
from benchmarks.server import Server, running

STREAMS = 10_000
STREAMS_OF_CHANNEL = 200
OPENED_AT_ONCE = 50
SETTLE_SECONDS = 10.0
QUIET_SECONDS = 30
"""Time between two heartbeats, to a server that says no other."""
CLOCKS_DIFFER_SECONDS = 0.01
_chance = random.Random(7)
IDLE_SECONDS, BEATING_SECONDS = 30.0, 60.0
_Stream = grpc.aio.StreamStreamCall[ingest_pb2.AppendEventsRequest, ingest_pb2.AppendEventsResponse]


def measure() -> Iterator[Figure]:
    """All of it."""
    with running() as server:
        yield from asyncio.run(_measured(server))


class Writer:
    """One stream, of one writer of one run."""

    def __init__(self, stub: ingest_pb2_grpc.IngestServiceAsyncStub) -> None:
        self._stub = stub
        self._stream: _Stream | None = None
        self._run_id, self._writer_id = os.urandom(16), os.urandom(16)
        self.quiet_seconds = QUIET_SECONDS
        self.beats = 0

    async def open(self) -> None:
        """Open the stream and the run: not before, as a server turns calls away that come by the thousand."""
        self._stream = self._stub.AppendEvents()
        started = event_pb2.RunStarted(experiment_id=0, heartbeats=True, opening=event_pb2.RUN_OPENING_CREATE)
        event = event_pb2.Event(sequence=1, observe_time_millis=time.time_ns() // 1_000_000, run_started=started)
        frame = frame_pb2.Frame(
            namespace="default", run_id=self._run_id, writer_id=self._writer_id, events=[event]
        )  # fmt: skip
        await self._ask(ingest_pb2.AppendEventsRequest(frame=frame))

    async def beat(self, after: float) -> None:
        """Say that it lives, again and again; the first time after this part of the time between."""
        heartbeats = ingest_pb2.Heartbeats(namespace="default", run_ids=self._run_id, writer_ids=self._writer_id)
        request = ingest_pb2.AppendEventsRequest(heartbeats=[heartbeats])
        await asyncio.sleep(after * self.quiet_seconds)
        while True:
            # As the client: at a full second. Clocks of machines differ by some milliseconds.
            await asyncio.sleep(seconds_to_look(time.time()) + _chance.uniform(0, CLOCKS_DIFFER_SECONDS))
            await self._ask(request)
            self.beats += 1
            await asyncio.sleep(self.quiet_seconds - 1)

    async def _ask(self, request: ingest_pb2.AppendEventsRequest) -> None:
        if self._stream is None:
            raise RuntimeError("the stream is not open")
        await self._stream.write(request)
        answer = await self._stream.read()
        if not isinstance(answer, ingest_pb2.AppendEventsResponse) or answer.HasField("status"):
            raise RuntimeError(f"the server refused a request: {answer}")
        self.quiet_seconds = answer.heartbeat_seconds or self.quiet_seconds


async def _measured(server: Server) -> list[Figure]:
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(server.target, options) for _ in range(STREAMS // STREAMS_OF_CHANNEL)]
    stubs = [ingest_pb2_grpc.IngestServiceStub(channel) for channel in channels]
    writers = [Writer(stubs[number % len(stubs)]) for number in range(STREAMS)]
    for first in range(0, STREAMS, OPENED_AT_ONCE):
        await asyncio.gather(*[writer.open() for writer in writers[first : first + OPENED_AT_ONCE]])
    await asyncio.sleep(SETTLE_SECONDS)
    idle = await _percent(server, IDLE_SECONDS)
    beating = [asyncio.create_task(writer.beat(place / STREAMS)) for place, writer in enumerate(writers)]
    whole = await _percent(server, BEATING_SECONDS)
    beats = sum(writer.beats for writer in writers) / BEATING_SECONDS
    for task in beating:
        task.cancel()
    for channel in channels:
        await channel.close()
    detail = f"{beats:.0f} heartbeats a second; {whole:.1f} % with them, {idle:.1f} % without"
    name = f"server's CPU for the heartbeats of {STREAMS:,} idle streams"
    return [Figure(name, whole - idle, "% of a core", 5, True, detail)]


async def _percent(server: Server, seconds: float) -> float:
    """The process's CPU while time passes, in percent of a core."""
    process = psutil.Process(server.pid)

    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    before, begun = spent(), time.monotonic()
    await asyncio.sleep(seconds)
    return 100 * (spent() - before) / (time.monotonic() - begun)
