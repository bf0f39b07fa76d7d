"""A gateway behind real gRPC, over ports that a test chooses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse, WarehouseUnavailable
from fleetlog_ingest.gateway.run_watch import AGAIN_SECONDS
from fleetlog_ingest.gateway.service import IngestServicer
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

from tests.warehouses import Untouched

RUN = bytes(range(16))
WRITER = bytes(range(16, 32))
SECONDS = 30.0


class NoWarehouse(Untouched):
    """A warehouse that does not answer."""

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        raise WarehouseUnavailable("it does not answer")


@dataclass
class Served:
    """A gateway that serves."""

    target: str
    ingest: ingest_pb2_grpc.IngestServiceStub
    _loop: asyncio.AbstractEventLoop
    _servicer: IngestServicer

    def drain(self) -> None:
        self._loop.call_soon_threadsafe(self._servicer.drain)

    def append(
        self, frames: Iterable[frame_pb2.Frame], timeout_seconds: float = SECONDS
    ) -> list[ingest_pb2.AppendEventsResponse]:
        """All the responses of one stream."""
        requests = (ingest_pb2.AppendEventsRequest(frame=frame) for frame in frames)
        return list(self.ingest.AppendEvents(requests, timeout=timeout_seconds))


@contextmanager
def serving(
    log: EventLog,
    path: Path,
    warehouse: Warehouse | None = None,
    limits: RunLimits | None = None,
    objects: ObjectStore | None = None,
    again_seconds: float = AGAIN_SECONDS,
) -> Iterator[Served]:
    """Serve over the log, and `path` for objects when no store is given."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    made: list[tuple[int, IngestServicer]] = []
    ended = asyncio.Event()
    used = warehouse or NoWarehouse()

    async def serve() -> None:
        applied = AppliedWatch(used)
        store = objects or FolderStore(path / "objects")
        servicer = IngestServicer(log, used, store, applied, run_limits=limits, again_seconds=again_seconds)
        server = GrpcServer("127.0.0.1", 0)
        server.add(
            lambda inner: ingest_pb2_grpc.add_IngestServiceServicer_to_server(servicer, inner),
            "fleetlog.v1.IngestService",
        )
        made.append((await server.start(), servicer))
        ready.set()
        await ended.wait()
        servicer.drain()
        await server.drain(5.0)
        await applied.close()
        servicer.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="gateway")
    thread.start()
    try:
        assert ready.wait(SECONDS)
        port, servicer = made[0]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Served(f"127.0.0.1:{port}", ingest_pb2_grpc.IngestServiceStub(channel), loop, servicer)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        loop.close()


def logged(log: EventLog, run: bytes = RUN) -> list[frame_pb2.Frame]:
    """The frames of a run as the log has them."""
    found = []
    for number in range(log.partitions(EVENTS)):
        for record in log.read(Partition(EVENTS, number), 0, max_bytes=1 << 30):
            frame = frame_pb2.Frame.FromString(record.value)
            if frame.run_id == run:
                found.append(frame)
    return found


def reason(status: status_pb2.Status) -> str:
    """The ErrorInfo's reason."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def status_of(error: grpc.RpcError) -> status_pb2.Status:
    """The status that a failed call came with."""
    for item in error.trailing_metadata() or ():
        if item.key == "grpc-status-details-bin" and isinstance(item.value, bytes):
            return status_pb2.Status.FromString(item.value)
    return status_pb2.Status()


def kinds(frame: frame_pb2.Frame) -> list[tuple[int, str | None]]:
    """(sequence, payload) of its events."""
    return [(event.sequence, event.WhichOneof("payload")) for event in frame.events]


def finish(sequence: int) -> event_pb2.Event:
    return event_pb2.Event(sequence=sequence, run_finished=event_pb2.RunFinished(state=event_pb2.RUN_STATE_FINISHED))
