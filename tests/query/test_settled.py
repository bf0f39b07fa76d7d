"""What was read of the past while it changed is read again, and what tells of a change is there before the change."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import run_pb2
from fleetlog_query.as_of import BY_KEY, BY_RUN, AsOf, Tables
from fleetlog_query.binds import Binds
from fleetlog_query.documents import Documents
from fleetlog_query.pins import Pins
from fleetlog_query.read_mask import parse_read_mask
from fleetlog_query.scope import Scope
from fleetlog_query.settled import Kinds, differences, settle

from tests.core.warehouse.engines import chdb
from tests.query.histories import Writing, history
from tests.query.random_runs import KEYS
from tests.query.stepping import Stepped

SECONDS = 60.0
MASK = parse_read_mask([])
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(6)]
OF_RUNS: Kinds = {"metrics": None, "tags": None, "params": None}
OF_KEYS: Kinds = {"metrics": frozenset(KEYS), "tags": frozenset(KEYS), "attributes": None}


def test_only_what_became_different_is_read_again() -> None:
    numbers, reads = {b"a": 0, b"b": 1, b"c": 0}, list[list[bytes]]()

    def read(run_ids: list[bytes]) -> None:
        reads.append(run_ids)
        if len(reads) <= 2:
            numbers[b"a"] += 1
        if len(reads) == 1:
            numbers[b"c"] += 1

    settle([b"a", b"b", b"c"], read, lambda run_ids: {one: numbers[one] for one in run_ids if numbers[one]})
    assert reads == [[b"a", b"b", b"c"], [b"a", b"c"], [b"a"]]


def test_nothing_is_asked_of_no_runs() -> None:
    def never(run_ids: Sequence[bytes]) -> NoReturn:
        raise AssertionError(run_ids)

    settle([], never, never)


def keys_that_differ(then: run_pb2.Run, now: run_pb2.Run) -> int:
    """Metrics and tags that the past has otherwise, or not."""
    before = {("metric", one.key): str(one) for one in then.metrics} | {
        ("tag", one): then.tags[one] for one in then.tags
    }
    after = {("metric", one.key): str(one) for one in now.metrics} | {("tag", one): now.tags[one] for one in now.tags}
    return sum(before.get(name) != after.get(name) for name in {*before, *after})


@pytest.mark.parametrize(("tables", "kinds"), [(BY_RUN, OF_RUNS), (BY_KEY, OF_KEYS)], ids=["by run", "by key"])
def test_a_difference_is_told_before_it_can_be_read(tmp_path: Path, tables: Tables, kinds: Kinds) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        stepped, chance, scope = Stepped(warehouse), random.Random(5), Scope("n", (0, 1, 2), run_ids=tuple(RUNS))
        writing, documents, differed = Writing(stepped, tmp_path), Documents(warehouse), 0
        writing.fold(history(1, 60, RUNS), "n", chance)
        pin = Pins(warehouse).now(SECONDS)
        marks = differences(warehouse, tables, kinds, lambda _, binds: where(scope, tables, binds), pin, SECONDS)
        assert marks(RUNS) == {}
        then = read(warehouse, documents, pin)
        stepped.begin(lambda: writing.fold(history(2, 40, RUNS), "n", random.Random(6)))
        last: Mapping[bytes, int] = {}
        try:
            for _ in range(60):
                now = read(warehouse, documents, None)
                told = marks(RUNS)
                assert all(told[run_id] >= number for run_id, number in last.items())
                for run_id, run in now.items():
                    different = keys_that_differ(then.get(run_id, run_pb2.Run()), run)
                    if tables is BY_RUN:
                        assert told.get(run_id, 0) >= different
                    differed += different
                last = told
                stepped.step()
        finally:
            stepped.finish()
        now, told = read(warehouse, documents, None), marks(RUNS)
        for run_id, run in now.items():
            assert told.get(run_id, 0) >= keys_that_differ(then.get(run_id, run_pb2.Run()), run)
        assert differed > 0


def where(scope: Scope, tables: Tables, binds: Binds) -> str:
    return scope.sql(binds) if tables is BY_KEY else f"namespace = 'n' AND run_id IN {binds.run_ids(RUNS)}"


def read(warehouse: Warehouse, documents: Documents, as_of: AsOf | None) -> dict[bytes, run_pb2.Run]:
    """What documents say of the runs."""
    runs = [run_pb2.Run(run_id=run_id.hex()) for run_id in RUNS]
    documents.fill("n", runs, MASK, False, SECONDS, as_of)
    return {bytes.fromhex(run.run_id): run for run in runs}
