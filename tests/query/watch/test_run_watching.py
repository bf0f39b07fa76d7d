"""A watch that is taken up again tells what its client does not have, between any two inserts of a writer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from fleetlog_core.log.port import Partition
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import run_pb2, scope_pb2, watch_pb2
from fleetlog_query.runs.read_mask import parse_read_mask
from fleetlog_query.search.search import Search
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.watch.run_changes import Snapshot
from fleetlog_query.watch.run_watching import Resumed, held_by
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.profiles import examples
from tests.query.histories import ALL, Writing, history
from tests.query.searching import searching
from tests.query.stepping import Stepped

SECONDS = 60.0
MASK = parse_read_mask([])
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(6)]
Runs = Mapping[str, run_pb2.Run]


class Client:
    """Somebody who watches, and knows what it was told."""

    def __init__(self, warehouse: Warehouse, namespace: str) -> None:
        self._warehouse = CancellableWarehouse(warehouse)
        self._namespace = namespace
        found = searching(self._warehouse, lambda: 1_700_000_000.0)
        self._searcher, self._documents = found.searcher, found.documents
        self.runs: Runs = {}
        self.position: Mapping[Partition, int] = {}
        self.told = 0

    def there(self) -> Runs:
        """What a search finds now."""
        search = Search(self._namespace, (0, 1, 2), page_size=100, deleted_view=scope_pb2.DELETED_VIEW_ALL)
        runs = self._searcher.foremost(search)
        self._documents.fill(self._namespace, runs, MASK, False)
        return {run.run_id: run for run in runs}

    def resume(self, stepped: Stepped, steps: int, position: Mapping[Partition, int]) -> Runs:
        """Take it up again at a server that searches, and asks some inserts later what this has. What was found."""
        resumed = Resumed(self.position, [bytes.fromhex(run_id) for run_id in self.runs]) if self.position else None
        found = self.there()
        for _ in range(steps):
            stepped.step()
        held = held_by(self._warehouse, self._namespace, resumed)
        response = held.advance(Snapshot.of(position, list(found.values()), 1))
        if response is not None:
            self._take(response)
        return found

    def _take(self, response: watch_pb2.WatchRunsResponse) -> None:
        self.told += len(response.changed)
        runs = dict(self.runs)
        runs.update((run.run_id, run) for run in (*response.entered, *response.changed))
        for run_id in response.left:
            del runs[run_id]
        self.runs, self.position = runs, {
            Partition(entry.topic, entry.partition): entry.next_offset for entry in response.position.offsets
        }  # fmt: skip


def texts(runs: Runs) -> Mapping[str, str]:
    """What compares although it holds NaN."""
    return {run_id: str(run) for run_id, run in runs.items()}


def compare_at_every_insert(warehouse: Warehouse, scratch: Path, tried: int) -> int:
    """How often a change was told."""
    migrate(warehouse)
    stepped, told = Stepped(warehouse), 0
    writing = Writing(stepped, scratch)

    @settings(
        max_examples=examples(tried),
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(seed=st.integers(0, 1 << 30), length=st.integers(10, 40))
    def compare(seed: int, length: int) -> None:
        nonlocal told
        chance, name = random.Random(seed), f"{seed}-{'-'.join(map(str, writing.next_offsets.values()))}"
        records = history(seed, length, RUNS)
        writing.fold(records[: length // 2], name, chance)
        client = Client(warehouse, name)
        # Nothing more of the log is wholly applied until the writer is done.
        position = {partition: writing.next_offsets[partition] for partition in ALL}
        client.resume(stepped, 0, position)
        stepped.begin(lambda: writing.fold(records[length // 2 :], name, random.Random(seed)))
        try:
            for _ in range(30):
                found = client.resume(stepped, chance.randrange(3), position)
                assert texts(client.runs) == texts(found)
                stepped.step()
        finally:
            stepped.finish()
        assert texts(client.resume(stepped, 0, writing.next_offsets)) == texts(client.runs)
        told += client.told

    compare()
    return told


def test_nothing_is_left_out(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        assert compare_at_every_insert(warehouse, tmp_path, 8) > 0


def test_nothing_is_left_out_by_a_server(clickhouse_server: str, tmp_path: Path) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        assert compare_at_every_insert(warehouse, tmp_path, 4) > 0
