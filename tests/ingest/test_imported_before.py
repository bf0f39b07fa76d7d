"""What is there of the runs of an import, among few others and among many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleetlog_core.log.port import EVENTS, Partition, Record
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_ingest.imported_before import ROWS_BETWEEN, rows_of_runs
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.materializer.fold.tables import columns_of
from fleetlog_ingest.materializer.state.import_loading import load_imports
from fleetlog_ingest.materializer.state.loading import BatchIsIn
from fleetlog_ingest.run_ids import RUNS_PER_SELECT
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.core.warehouse.engines import chdb

NAMESPACE = "team"
WRITER, OTHER = bytes(range(100, 116)), bytes(range(200, 216))


def run(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with chdb(tmp_path_factory.mktemp("imported")) as opened:
        migrate(opened)
        yield opened


def write(warehouse: Warehouse, numbers: range, namespace: str = NAMESPACE, next_offset: int = 1) -> None:
    rows = [(namespace, run(number), WRITER, -1, "1-1", next_offset, 0, 0) for number in numbers]
    warehouse.insert("writers", columns_of("writers", rows), f"{namespace} {numbers} {next_offset}")


def found(warehouse: Warehouse, numbers: list[int]) -> set[int]:
    ids = [run(number) for number in numbers]
    there: list[bytes] = []
    for rows in rows_of_runs(warehouse, "writers", ["run_id"], NAMESPACE, ids):
        there += rows.array("run_id").tolist()
    assert len(there) == len(set(there))
    return {int.from_bytes(run_id, "big") for run_id in there} & set(numbers)


def test_among_few_and_among_many(warehouse: Warehouse) -> None:
    write(warehouse, range(1_000_000, 1_000_010), "another")
    write(warehouse, range(0, 10, 2))
    assert found(warehouse, [1_000_000, 1_000_009]) == set()
    assert found(warehouse, [4, 0, 3, 8, 9]) == {0, 4, 8}
    assert found(warehouse, [8]) == {8}
    assert found(warehouse, [10]) == set()
    many = range(1_000, 1_000 + 2 * ROWS_BETWEEN + RUNS_PER_SELECT, 2)
    write(warehouse, many)
    assert found(warehouse, [4, 5, many[0], many[1] + 1, many[-1]]) == {4, many[0], many[-1]}
    every = list(range(many[0], many[-1] + 2))
    assert found(warehouse, every) == set(many)


def table(numbers: range, offset: int = 7) -> list[Record]:
    runs = event_pb2.RunsImported(run_ids=b"".join(map(run, numbers)), start_times_millis=[1] * len(numbers))
    frame = frame_pb2.Frame(namespace=NAMESPACE, run_id=runs.run_ids[:16], writer_id=OTHER)
    frame.events.add(sequence=1).runs_imported.CopyFrom(runs)
    return [Record(Partition(EVENTS, 0), offset, b"", frame.SerializeToString(), 0)]


def test_runs_between_those_of_the_table_say_nothing_of_its_batch(warehouse: Warehouse) -> None:
    first = 20_000
    write(warehouse, range(first + 1, first + 10, 2), next_offset=100)
    write(warehouse, range(first, first + 2, 2), next_offset=3)
    batch = [decode(record) for record in table(range(first, first + 10, 2))]
    state = load_imports(warehouse, batch, 7)
    assert set(state.runs) == {(NAMESPACE, run(first))}
    assert set(state.writers) == {(NAMESPACE, run(first), WRITER)}
    write(warehouse, range(first + 2, first + 3), next_offset=8)
    with pytest.raises(BatchIsIn):
        load_imports(warehouse, batch, 7)
