"""Tables of runs on their way into the log."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.ids import new_random_id
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.position import from_proto
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest import replay
from fleetlog_ingest.gateway.imports import Imports
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from tests.core.warehouse.engines import chdb

PARTS, RUNS = 3, 60
NOW = 1_700_000_000_000


def request(ids: list[bytes]) -> ingest_pb2.ImportRunsRequest:
    runs = event_pb2.RunsImported(run_ids=b"".join(ids), start_times_millis=[NOW] * len(ids))
    runs.states.extend([event_pb2.RUN_STATE_FINISHED] * len(ids))
    runs.metrics.add(key="loss", values=range(len(ids)))
    return ingest_pb2.ImportRunsRequest(runs=runs)


def test_each_run_goes_to_its_partition_once(tmp_path: Path) -> None:
    log, ids = MemoryLog({EVENTS: PARTS}), [new_random_id() for _ in range(RUNS)]
    with chdb(tmp_path) as warehouse, ThreadPoolExecutor(2) as threads:
        migrate(warehouse)
        imports = Imports(log, warehouse, threads, Telemetry(), RunLimits(metrics=1))
        answer = asyncio.run(imports.take(request(ids)))
        assert (answer.imported, answer.existing) == (RUNS, 0)
        found: dict[bytes, float] = {}
        for number in range(PARTS):
            (record,) = log.read(Partition(EVENTS, number), 0, max_bytes=1 << 20)
            frame = frame_pb2.Frame.FromString(record.value)
            runs = frame.events[0].runs_imported
            here = [runs.run_ids[16 * place :][:16] for place in range(len(runs.states))]
            assert {partition_of(one, PARTS) for one in here} == {number}
            assert record.key == frame.run_id == here[0]
            found.update(zip(here, runs.metrics[0].values, strict=True))
        assert found == dict(zip(ids, range(RUNS), strict=True))
        assert from_proto(answer.position) == {Partition(EVENTS, number): 1 for number in range(PARTS)}
        replay.rebuild(log, warehouse, FolderStore(tmp_path / "objects"))
        more = asyncio.run(imports.take(request([*ids, new_random_id()])))
        assert (more.imported, more.existing) == (1, RUNS)
        nothing = asyncio.run(imports.take(request(ids)))
        assert (nothing.imported, nothing.existing, len(nothing.position.offsets)) == (0, RUNS, 0)
        rows = warehouse.select(Statement("SELECT count() AS n FROM runs FINAL"))
        assert rows.array("n").tolist() == [RUNS]
        wrong, many = request(ids[:2]), request([new_random_id()])
        wrong.runs.states.pop()
        many.runs.metrics.add(key="acc", values=[1.0])
        with pytest.raises(InvalidArgument, match=r"runs\.states: 1 values for 2"):
            asyncio.run(imports.take(wrong))
        with pytest.raises(ResourceExhausted, match="has 1 distinct metrics"):
            asyncio.run(imports.take(many))
        assert sum(log.next_offset(Partition(EVENTS, number)) for number in range(PARTS)) == PARTS + 1
