"""Runs by the thousand, put into the tables as a batch does; and the query service over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.ordered import order_steps, order_values, pack192
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Coded, Column, Warehouse
from fleetlog_proto.v1 import query_pb2_grpc
from fleetlog_query.service import QueryServicer

NAMESPACE = "default"
EXPERIMENT = 1
START_MILLIS = 1_700_000_000_000


def ids_of(count: int) -> list[bytes]:
    """Ids of runs that started a millisecond apart."""
    return [(START_MILLIS + place).to_bytes(6, "big") + place.to_bytes(10, "big") for place in range(count)]


def insert_runs(warehouse: Warehouse, run_ids: Sequence[bytes], token: str = "runs") -> None:
    """Runs that go on, each with a name of its own."""
    migrate(warehouse)
    count = len(run_ids)
    zeros = np.zeros(count, np.uint8)
    home: dict[str, Column] = {
        "namespace": _same(NAMESPACE, count), "run_id": _raw(run_ids),
        "experiment": np.full(count, EXPERIMENT, np.uint32),
    }  # fmt: skip
    warehouse.insert("run_homes", home, token)
    warehouse.insert(
        "runs",
        {
            "namespace": _same(NAMESPACE, count), "experiment": np.full(count, EXPERIMENT, np.uint32),
            "run_id": _raw(run_ids), "name": [f"run-{place}" for place in range(count)], "user": _same("ada", count),
            "state": zeros + 1, "start_time": START_MILLIS + np.arange(count, dtype=np.int64),
            "end_time": np.zeros(count, np.int64), "parent_run_id": _raw([bytes(ID_BYTES)] * count), "deleted": zeros,
            "started": zeros + 1, "ver": np.ones(count, np.uint64),
        },
        token,
    )  # fmt: skip


def insert_keys(
    warehouse: Warehouse, run_ids: Sequence[bytes], kind: int, key: str, texts: Sequence[str], token: str,
    numbers: Iterable[float] | None = None, type_: int = 0,
) -> None:  # fmt: skip
    """A value of one key for each of the runs, in both tables of keys."""
    count = len(run_ids)
    values = np.full(count, np.nan) if numbers is None else np.fromiter(numbers, np.float64, count)
    moments = order_steps(np.arange(count, dtype=np.int64))
    columns: dict[str, Column] = {
        "namespace": _same(NAMESPACE, count), "kind": np.full(count, kind, np.uint8), "key": _same(key, count),
        "run_id": _raw(run_ids), "num": values, "str": list(texts), "type": np.full(count, type_, np.uint8),
        "removed": np.zeros(count, np.uint8), "ver": pack192(moments, moments, order_values(values)),
    }  # fmt: skip
    warehouse.insert("run_attrs", columns, token)
    warehouse.insert("attrs", {**columns, "experiment": np.full(count, EXPERIMENT, np.uint32)}, token)


@asynccontextmanager
async def serving(warehouse: Warehouse, path: Path) -> AsyncIterator[tuple[GrpcServer, str]]:
    """The query service, and its address."""
    applied = AppliedWatch(warehouse)
    servicer = QueryServicer(warehouse, FolderStore(path / "objects"), applied, [b"key"])
    server = GrpcServer("127.0.0.1", 0)
    server.add(
        lambda inner: query_pb2_grpc.add_QueryServiceServicer_to_server(servicer, inner), "fleetlog.v1.QueryService"
    )
    port = await server.start()
    yield server, f"127.0.0.1:{port}"
    servicer.drain()
    await server.drain(1.0)
    await applied.close()
    servicer.close()


def channel_to(address: str) -> grpc.Channel:
    """A channel of its own."""
    options = [("grpc.max_receive_message_length", 1 << 27), ("grpc.max_send_message_length", 1 << 27)]
    return grpc.insecure_channel(address, options=options)


def _same(text: str, count: int) -> Coded:
    return Coded(np.zeros(count, np.uint32), [text])


def _raw(run_ids: Sequence[bytes]) -> Column:
    return np.frombuffer(b"".join(run_ids), "V16")
