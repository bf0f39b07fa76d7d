"""What is noticed of a warehouse that lost rows, before anything is inserted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.rebuilds import NotWhole, WholeWarehouse, begin_rebuild, rebuilding
from fleetlog_core.warehouse.checkpoints import Checkpoints, PartsLost, loss
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest import replay
from fleetlog_ingest.checkpointing import Checkpointing
from fleetlog_ingest.losses import LogLost, committed, loss_of, must_have_all, partitions_of

from tests.core.warehouse.engines import clickhouse
from tests.ingest.materializer.builders import RUN, frame, in_own_process, metrics
from tests.ingest.materializer.history import write
from tests.ingest.materializer.warehouses import Crash, Watched, drain, opened, rebuilt

HERE, AFTER = "this boot", "the next boot"
GROUP = "materializer"


def _drop_last_part(warehouse: Warehouse, table: str) -> None:
    sql = (
        f"SELECT name FROM system.parts WHERE database = currentDatabase() AND active AND table = '{table}'"
        " ORDER BY max_block_number DESC LIMIT 1"
    )
    (part,) = warehouse.select(Statement(sql)).texts("name")
    warehouse.execute(Statement(f"ALTER TABLE {table} DROP PART '{part}'"))


def _notice(warehouse: Warehouse, path: Path) -> None:
    log = MemoryLog()
    write(log, 2, 40)
    drain(log, warehouse, path)
    checkpoints = Checkpoints(warehouse, "", lambda: None)
    checkpoints.write()
    reads = WholeWarehouse(warehouse, lambda inner: loss(inner, ""))
    assert loss_of(log, warehouse, committed(log, GROUP), "") == ""
    assert reads.select(Statement("SELECT count() AS n FROM points")).rows == 1
    _drop_last_part(warehouse, "attrs")
    assert loss_of(log, warehouse, committed(log, GROUP), "") == "parts of attrs are gone"
    # What is left is no new checkpoint.
    with pytest.raises(PartsLost, match="attrs"):
        checkpoints.write()
    assert loss(warehouse, "") == "parts of attrs are gone"
    assert reads.look_again()
    with pytest.raises(NotWhole, match="attrs"):
        reads.select(Statement("SELECT count() AS n FROM points"))


def _notice_embedded(path: Path) -> None:
    warehouse = opened(path)
    _notice(warehouse, path)
    warehouse.close()


def test_a_part_that_was_dropped_is_noticed(tmp_path: Path) -> None:
    in_own_process(_notice_embedded, tmp_path)


def test_a_part_that_a_server_lost_is_noticed(clickhouse_server: str, tmp_path: Path) -> None:
    from fleetlog_core.warehouse.migrate import migrate

    with clickhouse(clickhouse_server) as warehouse:
        migrate(warehouse)
        _notice(warehouse, tmp_path)


def _boots(path: Path) -> None:
    log = MemoryLog()
    write(log, 1, 10)
    warehouse = opened(path)
    drain(log, warehouse, path)
    synced: list[str] = []
    Checkpoints(warehouse, HERE, lambda: synced.append("all")).write()
    assert synced == ["all"]
    commits = committed(log, GROUP)
    assert loss_of(log, warehouse, commits, HERE) == loss_of(log, warehouse, commits, AFTER) == ""
    # Nothing new, nothing to write.
    Checkpoints(warehouse, HERE, lambda: synced.append("again")).write()
    assert synced == ["all"]

    def die(number: int, table: str, *_: object) -> None:
        if table == "writers":
            raise Crash

    log.append(EVENTS, RUN, frame(metrics(1, late=[(1, 1.0)])).SerializeToString()).result()
    with pytest.raises(Crash):
        drain(log, Watched(warehouse, die), path)
    commits = committed(log, GROUP)
    # A process that dies leaves what it wrote to the kernel; a machine does not.
    assert loss_of(log, warehouse, commits, HERE) == ""
    assert "the machine was restarted" in loss_of(log, warehouse, commits, AFTER)
    drain(log, warehouse, path)
    assert "the machine was restarted" in loss_of(log, warehouse, committed(log, GROUP), AFTER)
    Checkpoints(warehouse, HERE, lambda: None).write()
    assert loss_of(log, warehouse, committed(log, GROUP), AFTER) == ""
    warehouse.close()


def test_what_a_restarted_machine_may_have_lost_is_not_trusted(tmp_path: Path) -> None:
    in_own_process(_boots, tmp_path)


def _logs(path: Path) -> None:
    log = MemoryLog()
    write(log, 2, 20)
    warehouse = opened(path)
    drain(log, warehouse, path)
    commits = committed(log, GROUP)
    with pytest.raises(LogLost, match="Put the newer log back"):
        loss_of(MemoryLog(), warehouse, commits, HERE)
    ends = must_have_all(log, "a reason")
    assert ends == {partition: log.next_offset(partition) for partition in partitions_of(log)}
    warehouse.close()


def test_a_log_that_is_older_than_the_tables_is_told(tmp_path: Path) -> None:
    in_own_process(_logs, tmp_path)


def _rebuild(path: Path) -> None:
    log = MemoryLog()
    write(log, 3, 60)
    first = opened(path / "first")
    drain(log, first, path)
    first.close()
    # The group is where the first one was; what comes later is folded in its turn.
    warehouse = opened(path)
    until = must_have_all(log, "")
    begin_rebuild(warehouse, until)
    write(log, 2, 10)
    reads = WholeWarehouse(warehouse, rebuilding, clock=iter(range(1000)).__next__)
    with pytest.raises(NotWhole, match=r"0 of [\d,]+ records"):
        reads.select(Statement("SELECT 1 AS one"))
    # It dies on the way, at more than one place, and the next member goes on.
    for fatal in (30, 25):

        def die(number: int, *_: object, fatal: int = fatal) -> None:
            if number == fatal:
                raise Crash

        with pytest.raises(Crash):
            drain(log, Watched(warehouse, die), path)
        assert loss_of(log, warehouse, committed(log, GROUP), HERE) == ""
    drain(log, warehouse, path)
    assert reads.select(Statement("SELECT 1 AS one")).rows == 1
    live = replay.checksums(warehouse)
    assert replay.applied(log, warehouse)[Partition(EVENTS, 0)] == log.next_offset(Partition(EVENTS, 0))
    warehouse.close()
    report = replay.compare(live, rebuilt(log, path / "again"))
    assert report.same, report.differences


def test_a_rebuild_goes_on_after_it_died_and_is_served_when_it_is_done(tmp_path: Path) -> None:
    in_own_process(_rebuild, tmp_path)


def _checkpointing(path: Path) -> None:
    log = MemoryLog()
    write(log, 1, 10)
    warehouse = opened(path)
    drain(log, warehouse, path)
    written, failed = threading.Event(), threading.Event()

    def sync() -> None:
        written.set()

    checkpointing = Checkpointing(Checkpoints(warehouse, HERE, sync), lambda error: failed.set(), quiet_seconds=0.0)
    checkpointing.start()
    assert written.wait(30)
    written.clear()
    write(log, 1, 10)
    drain(log, warehouse, path)
    checkpointing.poke()
    assert written.wait(30)
    checkpointing.close()
    assert not failed.is_set()
    assert loss_of(log, warehouse, committed(log, GROUP), AFTER) == ""
    _drop_last_part(warehouse, "points")
    again = Checkpointing(Checkpoints(warehouse, HERE, sync), lambda error: failed.set())
    again.start()
    assert failed.wait(30)
    again.close()
    warehouse.close()


def test_a_checkpoint_follows_what_was_inserted_and_tells_of_lost_parts(tmp_path: Path) -> None:
    in_own_process(_checkpointing, tmp_path)
