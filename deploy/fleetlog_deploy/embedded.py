"""fleetlog in one process: SQLite log, chDB, a folder. What `fleetlog up` runs, and the tests.

Data directory: `log/` (the truth), `warehouse/` (folded from it), `objects/` (artifacts), `logs/`, `token.key`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_ingest.gateway.service import IngestServicer
from fleetlog_ingest.materializer.loop import Materializer
from fleetlog_proto.v1 import ingest_pb2_grpc, query_pb2_grpc
from fleetlog_query.service import QueryServicer

SWITCH_SECONDS = 0.001
"""The interpreter's switch interval: at its default of 5 ms a search waits for a batch that is being folded."""

KEY_BYTES = 32


class Embedded:
    """The whole of fleetlog over one data directory, which it owns while it is open."""

    def __init__(self, data: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.telemetry = Telemetry()
        self._log = SqliteLog(data / "log" / "events.sqlite")
        try:
            self._warehouse = ChdbWarehouse(data / "warehouse")
        except BaseException:
            self._log.close()
            raise
        migrate(self._warehouse)
        self._objects = FolderStore(data / "objects")
        self._applied = AppliedWatch(self._warehouse)
        self._materializer = Materializer(
            self._log, self._warehouse, self._objects, on_applied=self._applied.poke, telemetry=self.telemetry
        )
        self._thread = threading.Thread(target=self._materialize, name="materializer", daemon=True)
        self.failure: BaseException | None = None
        """What ended the materializer, when something did."""
        self.failed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ingest = IngestServicer(
            self._log, self._warehouse, self._objects, self._applied, telemetry=self.telemetry
        )
        self._query = QueryServicer(self._warehouse, self._objects, self._applied, _token_key(data / "token.key"))
        self._server = GrpcServer(host, port)
        self._server.add(
            lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(self._ingest, server),
            "fleetlog.v1.IngestService",
        )
        self._server.add(
            lambda server: query_pb2_grpc.add_QueryServiceServicer_to_server(self._query, server),
            "fleetlog.v1.QueryService",
        )

    async def start(self) -> int:
        """Serve; the port. PortTaken."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._loop = asyncio.get_running_loop()
        port = await self._server.start()
        self._thread.start()
        return port

    def _materialize(self) -> None:
        try:
            self._materializer.run()
        except BaseException as error:  # told by whoever waits for `failed`
            self.failure = error
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.failed.set)

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Drain and close. Everything that was acknowledged is in the log; what is not applied yet is next time."""
        self._ingest.drain()
        self._query.drain()
        await self._server.drain(grace_seconds)
        await self._applied.close()
        self._materializer.stop()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, 60.0)
        self._ingest.close()
        self._query.close()
        self._warehouse.close()
        self._objects.close()
        self._log.close()


def _token_key(path: Path) -> bytes:
    """The key of page tokens: made at the first start, and when a crash left half of one, which would sign little."""
    if path.exists() and len(key := path.read_bytes()) == KEY_BYTES:
        return key
    key = secrets.token_bytes(KEY_BYTES)
    fresh = path.with_name(path.name + ".fresh")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return key


@contextmanager
def running(data: Path) -> Iterator[str]:
    """Run it in a thread of its own; yields the target."""
    ready = threading.Event()
    outcome: list[int | BaseException] = []
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            embedded = Embedded(data)
            outcome.append(await embedded.start())
        except BaseException as error:  # raised again where it was asked for
            outcome.append(error)
            return
        finally:
            ready.set()
        await ended.wait()
        await embedded.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="embedded")
    thread.start()
    ready.wait()
    if isinstance(outcome[0], BaseException):
        thread.join()
        loop.close()
        raise outcome[0]
    try:
        yield f"127.0.0.1:{outcome[0]}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
