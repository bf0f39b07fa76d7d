"""Servers that are replaced under their clients: streams move on in time, and what is newer than the server is kept."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_core.log.port import EVENTS
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc

from tests.deploy.cluster import cluster
from tests.deploy.watching import ready
from tests.end_to_end.refusals import points
from tests.faults.fleet import Server
from tests.faults.oracle import records, settled
from tests.ports import free_port

STREAMS = 100
MOST_SECONDS = 10.0
UNKNOWN_FIELD = b"\x82\xfa\x01\x03new"
"""Field 4000, "new": of a version that is to come."""


class Stream:
    """A writer with one stream at a time: what has no answer goes to the next server, from there on."""

    def __init__(self) -> None:
        self.run, self.writer = new_run_id(1_700_000_000_000), new_random_id()
        self.durable = 0
        self.begun, self.moved, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write(self, targets: list[str]) -> None:
        """Write until `ended`, over one server after the other."""
        for target in targets:
            async with grpc.aio.insecure_channel(target) as channel:
                call = ingest_pb2_grpc.IngestServiceStub(channel).AppendEvents()
                try:
                    while not self.ended.is_set():
                        await call.write(ingest_pb2.AppendEventsRequest(frame=self._next()))
                        answer = await call.read()
                        if not isinstance(answer, ingest_pb2.AppendEventsResponse):
                            break
                        self.durable = answer.durable_sequence
                        if target is targets[-1]:
                            self.moved.set()
                        elif self.durable > 1:
                            self.begun.set()
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    # It goes: what has no answer is for the next one.
                    pass
                call.cancel()

    def _next(self) -> frame_pb2.Frame:
        sequence = self.durable + 1
        started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_CREATE)
        event = points(sequence, sequence) if sequence > 1 else event_pb2.Event(sequence=1, run_started=started)
        event.MergeFromString(UNKNOWN_FIELD)
        frame = frame_pb2.Frame(run_id=self.run, writer_id=self.writer, events=[event])
        frame.MergeFromString(UNKNOWN_FIELD)
        return frame


async def moved(old: Server, new: Server) -> tuple[list[Stream], float]:
    """Streams that began at the old server and went on at the new one, and how long the last one took for it."""
    streams = [Stream() for _ in range(STREAMS)]
    writing = [asyncio.create_task(one.write([old.target, new.target])) for one in streams]
    async with asyncio.timeout(120):
        await asyncio.gather(*(one.begun.wait() for one in streams))
        begun = time.monotonic()
        assert await asyncio.to_thread(old.up.stop, signal.SIGTERM) == 0
        await asyncio.gather(*(one.moved.wait() for one in streams))
        seconds = time.monotonic() - begun
        for one in streams:
            one.ended.set()
        await asyncio.gather(*writing)
    return streams, seconds


@pytest.mark.timeout(600)
def test_a_hundred_streams_move_when_their_server_is_told_to_go(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, 2) as own:
        old, new = (
            Server(own, ("gateway",), free_port()),
            Server(own, ("gateway", "query", "materializer"), free_port()),
        )
        ready(new.up)
        streams, seconds = asyncio.run(moved(old, new))
        assert seconds <= MOST_SECONDS
        log, live, reader = own.log(), own.warehouse(), fleetlog.Client(new.target)
        settled(log, live)
        for one in streams:
            assert reader.read_metric(one.run.hex(), "x").steps.tolist() == list(range(2, one.durable + 1))
        # Of what clients say that are newer than the server nothing is dropped on the way into the log.
        for record in records(log, EVENTS):
            frame = frame_pb2.Frame.FromString(record.value)
            assert record.value.count(UNKNOWN_FIELD) == 1 + len(frame.events)
