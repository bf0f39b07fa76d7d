"""Tables of runs on their way to the server, some at once while the next one is read."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from fleetlog_proto.v1 import event_pb2, ingest_pb2, position_pb2

from fleetlog._transport.connection import Connection
from fleetlog.importers.small_runs import table_writer

IN_FLIGHT = 4
REQUEST_SECONDS = 300.0


class TableSender:
    """Sends tables. Used from one thread; `close` at the end."""

    def __init__(self, connection: Connection, namespace: str, kind: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._writer = table_writer(kind)
        self._pool = ThreadPoolExecutor(IN_FLIGHT, "fleetlog-import-tables")
        self._under_way: deque[Future[ingest_pb2.ImportRunsResponse]] = deque()

    def send(self, runs: event_pb2.RunsImported, at_least: position_pb2.Position) -> int:
        """Send a table; waits while enough of them are on their way. Returns runs that were taken of those before it.

        `at_least`: the position at which runs of it were looked up. FleetlogError, of one before it.
        """
        request = ingest_pb2.ImportRunsRequest(
            namespace=self._namespace, request_id=self._writer, runs=runs, at_least=at_least
        )
        self._under_way.append(self._pool.submit(self._call, request))
        return self._settled(IN_FLIGHT)

    def finish(self) -> int:
        """Wait for all of them. Returns runs that were taken of them. FleetlogError."""
        return self._settled(0)

    def close(self) -> None:
        """End the threads; what is on its way goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _settled(self, most: int) -> int:
        taken = 0
        while len(self._under_way) > most:
            answer = self._under_way.popleft().result()
            self._connection.saw(answer.position)
            taken += answer.imported
        return taken

    def _call(self, request: ingest_pb2.ImportRunsRequest) -> ingest_pb2.ImportRunsResponse:
        return self._connection.call(self._connection.ingest.ImportRuns, request, REQUEST_SECONDS)
