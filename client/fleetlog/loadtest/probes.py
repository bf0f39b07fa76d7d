"""What readers see while the load is on: points right after their acknowledgement, how far the tables are, searches."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import grpc
from fleetlog_proto.v1 import ingest_pb2, ingest_pb2_grpc, metric_pb2, query_pb2, query_pb2_grpc

from fleetlog.errors import from_call
from fleetlog.loadtest.profile import Search
from fleetlog.loadtest.report import SearchReport
from fleetlog.loadtest.tally import Acknowledged, Tally, offsets_of

LOOK_SECONDS = 1.0
"""Time between two looks at how far the tables are."""
CALL_SECONDS = 60.0
SEARCHES_AT_ONCE = 64
"""Maximum of searches of one sort that wait for their answers; those beyond it count as failed."""
Metadata = Callable[[], Any]
Answer = TypeVar("Answer")


class Probes:
    """Reads beside a load, over a connection of their own."""

    def __init__(
        self, tally: Tally, channel: grpc.aio.Channel, metadata: Metadata, target: str, namespace: str, experiment: str,
        first_key: str,
    ) -> None:  # fmt: skip
        self._tally, self._metadata, self._target = tally, metadata, target
        self._namespace, self._experiment, self._key = namespace, experiment, first_key
        self._query: Any = query_pb2_grpc.QueryServiceStub(channel)
        self._ingest: Any = ingest_pb2_grpc.IngestServiceStub(channel)
        self._looks = 0

    async def read_points(self, per_second: float) -> None:
        """Read the point that was acknowledged last, as often as that, until it is cancelled."""
        if per_second <= 0:
            return
        seen: Acknowledged | None = None
        while True:
            await asyncio.sleep(1.0 / per_second)
            last = self._tally.last
            if last is None or last is seen:
                continue
            seen = last
            steps = await self._told(self._read(last))
            if steps is None:
                continue
            self._tally.report.readable.add(self._tally.clock() - last.when)
            if not steps or steps[-1] < last.step:
                self._tally.report.stale_reads += 1

    async def _read(self, last: Acknowledged) -> array[int]:
        """The last step that a read has which carries the position of an acknowledgement."""
        request = metric_pb2.ReadMetricRequest(
            namespace=self._namespace, run_ids=[last.run_id.hex()], keys=[self._key], last_points=1,
            ranks=[] if last.rank is None else [last.rank], at_least=last.position,
        )  # fmt: skip
        steps = array("q")
        async for response in self._query.ReadMetric(request, timeout=CALL_SECONDS, metadata=self._metadata() or None):
            for part in response.parts:
                steps.frombytes(part.points.steps)
        return steps

    async def watch_lag(self) -> None:
        """Look how far the tables are behind the log, again and again, until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """How far the tables are, once."""
        log = await self._told(self._call(self._ingest.GetLogPosition, ingest_pb2.GetLogPositionRequest()))
        info = await self._told(self._call(self._query.GetServerInfo, query_pb2.GetServerInfoRequest()))
        if log is None or info is None:
            return
        ends, applied, report = offsets_of(log.position), offsets_of(info.applied), self._tally.report
        self._tally.applied(applied)
        lag = sum(max(0, end - applied.get(key, 0)) for key, end in ends.items() if key[0] in ("events", "control"))
        self._looks += 1
        report.max_lag_records = max(report.max_lag_records, lag)
        report.mean_lag_records += (lag - report.mean_lag_records) / self._looks

    async def search(self, search: Search) -> None:
        """Ask a search at its pace, whether or not those before are answered, until it is cancelled."""
        report = self._tally.report.searches.setdefault(search.name, SearchReport())
        request = query_pb2.SearchRunsRequest(
            namespace=self._namespace, experiment_names=[self._experiment], filter=search.filter,
            order_by=search.order_by, page_size=search.limit,
        )  # fmt: skip
        begun, number, under_way = self._tally.clock(), 0, set[asyncio.Task[None]]()
        try:
            while True:
                number += 1
                when = begun + number / search.per_second
                await asyncio.sleep(max(0.0, when - self._tally.clock()))
                if len(under_way) >= SEARCHES_AT_ONCE:
                    report.failed += 1
                    report.error = report.error or f"{SEARCHES_AT_ONCE} of them had no answer yet"
                    continue
                task = asyncio.create_task(self._search(request, when, report))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        finally:
            for task in under_way:
                task.cancel()

    async def _search(self, request: query_pb2.SearchRunsRequest, when: float, report: SearchReport) -> None:
        try:
            await self._call(self._query.SearchRuns, request)
        except grpc.RpcError as error:
            report.failed += 1
            told = from_call(error, self._target)
            report.error = report.error or f"{told.reason}: {told.message}"
        else:
            report.took.add(self._tally.clock() - when)

    async def _call(self, method: Callable[..., Awaitable[Answer]], request: object) -> Answer:
        return await method(request, timeout=CALL_SECONDS, metadata=self._metadata() or None)

    async def _told(self, call: Awaitable[Answer]) -> Answer | None:
        """The answer; None after an error, which is counted."""
        with suppress(asyncio.InvalidStateError):
            try:
                return await call
            except grpc.RpcError as error:
                told = from_call(error, self._target)
                self._tally.report.problem(f"{told.reason}: {told.message}")
        self._tally.report.failed_probes += 1
        return None
