"""Processes over a ClickHouse server whose tables lose rows while they are used: made anew from the log, by itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import fleetlog as client
import pytest
from fleetlog_core.warehouse.checkpoints import Checkpoints
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest import replay

from tests.deploy.cluster import Cluster, cluster
from tests.deploy.watching import ready
from tests.waiting import reached

BEFORE = 100
Harm = Callable[[Warehouse, str], None]


def _drop_part(warehouse: Warehouse, table: str) -> None:
    """The part with the table's first row."""
    warehouse.execute(Statement(f"SYSTEM STOP MERGES {table}"))
    (part,) = warehouse.select(
        Statement(f"SELECT name FROM system.parts WHERE database = currentDatabase() AND table = '{table}' AND active"
                  " ORDER BY min_block_number LIMIT 1")
    ).texts("name")  # fmt: skip
    warehouse.execute(Statement(f"ALTER TABLE {table} DROP PART '{part}'"))


def _drop_table(warehouse: Warehouse, table: str) -> None:
    warehouse.execute(Statement(f"DROP TABLE {table} SYNC"))


def _drop_database(warehouse: Warehouse, table: str) -> None:
    (name,) = warehouse.select(Statement("SELECT currentDatabase() AS name")).texts("name")
    warehouse.execute(Statement(f"DROP DATABASE {name} SYNC"))


def _count(reader: client.Client, run_id: str) -> int | None:
    """How many points a read says there are; None when it says that it can't tell."""
    try:
        return len(reader.read_metric(run_id, "x").steps)
    except client.Unavailable:
        return None


@contextmanager
def _writing(run: client.Run) -> Iterator[Callable[[], int]]:
    """A thread that logs a point every few milliseconds; yields how many it logged so far."""
    ended = threading.Event()
    steps = [BEFORE]

    def write() -> None:
        while not ended.is_set():
            run.log({"x": float(steps[0])}, step=steps[0])
            steps[0] += 1
            ended.wait(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield lambda: steps[0]
    finally:
        ended.set()
        thread.join()


def _is_what_the_log_says(own: Cluster, number: int) -> None:
    log = own.log()
    settings = ClickHouseSettings.from_url(own.warehouse_url)
    name = settings.database if number == 1 else f"{settings.database}_g{number}"
    live = ClickHouseWarehouse(replace(settings, database=name))
    own.stack.callback(live.close)
    fresh = own.fresh_warehouse()
    replay.rebuild(log, fresh, own.objects(), until=replay.applied(log, live))
    report = replay.compare(replay.checksums(live), replay.checksums(fresh))
    assert report.same, report.differences


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("harm", "table"),
    [(_drop_part, "points"), (_drop_part, "writers"), (_drop_table, "attrs"), (_drop_database, "")],
)
def test_rows_that_a_server_loses_under_load_are_all_there_again_once(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path, harm: Harm, table: str
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, partitions=2) as own:
        folding = [own.serve("materializer") for _ in range(2)]
        front = own.serve("gateway", "query")
        ready(front, *folding)
        run = client.start_run("lost", "one", target=front.target)
        reader = client.Client(front.target)
        for step in range(BEFORE):
            run.log({"x": float(step)}, step=step)
        run.flush(60.0, "applied")
        assert _count(reader, run.id) == BEFORE
        warehouse = own.warehouse()
        Checkpoints(warehouse, "", lambda: None).write()
        with _writing(run) as logged:
            harm(warehouse, table)
            reached(lambda: _count(reader, run.id) is None, 120)
            # Whoever makes the tables anew may die of it, too.
            folding[0].process.kill()
            folding[0] = own.serve("materializer")
            # From now on nothing is answered before all of it is there.
            reached(lambda: _at_least(_count(reader, run.id), BEFORE), 240)
            before = logged()
            reached(lambda: logged() > before + 20)
        run.finish(timeout=120)
        assert reader.read_metric(run.id, "x").steps.tolist() == list(range(logged()))
        ready(front, *folding)
        assert [process.stop(signal.SIGTERM) for process in (*folding, front)] == [0, 0, 0]
        _is_what_the_log_says(own, 2)


def _at_least(count: int | None, least: int) -> bool:
    assert count is None or count >= least, f"{count} of {least} acknowledged points were answered"
    return count is not None
