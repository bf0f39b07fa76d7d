"""A caller that goes away takes its query with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.warehouse.port import Answer, Statement, Warehouse
from fleetlog_proto.v1 import query_pb2, query_pb2_grpc
from fleetlog_query.service import QueryServicer

from tests.ingest.materializer.warehouses import opened
from tests.own_processes import in_fresh_process
from tests.waiting import reached
from tests.warehouses import Wrapped

HEAVY = "SELECT sum(sipHash64(number)) AS s FROM numbers({count:UInt64})"
SECONDS = 30.0


class Busy(Wrapped):
    """A warehouse whose selects all take minutes."""

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        # With a value that is bound, as those of readers have: the engine writes such a statement anew.
        heavy = Statement(HEAVY, {"count": 10**12}, mark=statement.mark)
        return self._warehouse.select(heavy, timeout_seconds=600.0)


def _running(warehouse: Warehouse) -> int:
    statement = Statement("SELECT count() AS n FROM system.processes WHERE position(query, 'sipHash64') > 0")
    return int(warehouse.select(statement).array("n")[0]) - 1


async def _serve(path: Path, warehouse: Warehouse, ask: Callable[[query_pb2_grpc.QueryServiceStub], None]) -> None:
    busy = Busy(warehouse)
    applied = AppliedWatch(busy)
    servicer = QueryServicer(busy, FolderStore(path / "objects"), applied, [b"key"])
    server = GrpcServer("127.0.0.1", 0)
    server.add(
        lambda inner: query_pb2_grpc.add_QueryServiceServicer_to_server(servicer, inner), "fleetlog.v1.QueryService"
    )
    port = await server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.to_thread(ask, query_pb2_grpc.QueryServiceStub(channel))
    await server.drain(1.0)
    await applied.close()
    servicer.close()


def _goes_away(path: Path) -> None:
    warehouse = opened(path)

    def ask(query: query_pb2_grpc.QueryServiceStub) -> None:
        search = query_pb2.SearchRunsRequest(experiment_ids=[0])
        # One session of the warehouse is left to look on with.
        calls = [query.SearchRuns.future(search, timeout=600) for _ in range(3)]
        reached(lambda: _running(warehouse) == 3)
        for call in calls:
            call.cancel()
        reached(lambda: _running(warehouse) == 0)
        with pytest.raises(grpc.RpcError) as error:
            query.SearchRuns(search, timeout=0.2)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        reached(lambda: _running(warehouse) == 0)

    asyncio.run(_serve(path, warehouse, ask))
    warehouse.close()


def test_queries_of_callers_that_left_or_ran_out_of_time_end_in_the_warehouse(tmp_path: Path) -> None:
    in_fresh_process(_goes_away, tmp_path)
