"""Runs whose writers fall silent, from the log to the tables and back."""

from __future__ import annotations

import time
from pathlib import Path

from fleetlog_core.limits import LOST_SECONDS
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from fleetlog_ingest import replay
from fleetlog_ingest.gateway.runs import run_status
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.materializer.loop.lost_runs import LOOK_SECONDS, LostRuns
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.ingest.materializer.builders import RUN, WRITER, frame, in_own_process, metrics, start
from tests.ingest.materializer.warehouses import drain, opened, rebuilt

ONE = Partition(EVENTS, 0)
OTHER = b"o" * 16


class Looker:
    """A materializer's eye on one partition, with a clock that a test turns."""

    def __init__(self, log: EventLog, warehouse: ChdbWarehouse) -> None:
        self.log = log
        self.now = time.time()
        self.reached: int | None = log.next_offset(ONE)
        self.lost_runs = LostRuns(log, warehouse, now=lambda: self.now)
        self.lost_runs.opened(ONE)

    def wait(self, seconds: float) -> int:
        """Number of runs that were called lost meanwhile."""
        told, end = 0, self.now + seconds
        while self.now < end:
            self.now += LOOK_SECONDS
            told += self.lost_runs.look(lambda partition: self.reached)
        return told

    def caught_up(self) -> None:
        self.reached = self.log.next_offset(ONE)


def append(log: EventLog, message: frame_pb2.Frame) -> None:
    log.append(EVENTS, message.run_id, message.SerializeToString()).result(60)


def state(warehouse: ChdbWarehouse, run: bytes = RUN) -> str:
    found = run_status(warehouse, "default", run)
    assert found is not None
    return next(name for name, number in event_pb2.RunState.items() if number == found.state).removeprefix("RUN_STATE_")


def begun(run: bytes, *, heartbeats: bool) -> frame_pb2.Frame:
    message = frame(start(1), metrics(2, loss=[(0, 1.0)]), run=run)
    message.events[0].run_started.heartbeats = heartbeats
    return message


def _lost_and_found(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    append(log, begun(RUN, heartbeats=True))
    append(log, begun(OTHER, heartbeats=False))
    drain(log, warehouse, path)
    looker, another = Looker(log, warehouse), Looker(log, warehouse)
    assert looker.wait(LOST_SECONDS) == 0
    looker.reached = None
    assert looker.wait(60) == 0, "what waits may be of the run"
    looker.caught_up()
    assert looker.wait(60) == 1
    assert another.wait(LOST_SECONDS) == 0
    another.caught_up()
    assert another.wait(60) == 1, "another process decides the same"
    drain(log, warehouse, path)
    assert (state(warehouse), state(warehouse, OTHER)) == ("LOST", "RUNNING")
    lost = [decode(record) for record in log.read(ONE, 2, max_bytes=1 << 20)]
    assert len({one.frame.writer_id for one in lost if one.frame is not None}) == 1
    heard = event_pb2.WritersHeard(run_ids=RUN + OTHER, writer_ids=WRITER * 2)
    append(log, frame(event_pb2.Event(sequence=1, writers_heard=heard), writer=b"g" * 16))
    drain(log, warehouse, path)
    assert state(warehouse) == "RUNNING"
    # A materializer that comes later knows of it, and gives it all its time.
    later = Looker(log, warehouse)
    assert later.wait(LOST_SECONDS) == 0
    assert later.wait(60) == 1
    drain(log, warehouse, path)
    assert state(warehouse) == "LOST"
    end = event_pb2.RunFinished(state=event_pb2.RUN_STATE_FINISHED)
    append(log, frame(event_pb2.Event(sequence=3, run_finished=end)))
    drain(log, warehouse, path)
    assert state(warehouse) == "FINISHED"
    before = replay.checksums(warehouse)
    warehouse.close()
    assert replay.compare(before, rebuilt(log, path / "again")).same


def test_a_run_is_lost_and_found_and_a_replay_gives_the_same(tmp_path: Path) -> None:
    in_own_process(_lost_and_found, tmp_path)


def _slept(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    append(log, begun(RUN, heartbeats=True))
    drain(log, warehouse, path)
    looker = Looker(log, warehouse)
    assert looker.wait(60) == 0
    looker.now += 86_400
    assert looker.wait(60) == 0, "the machine slept, and what it runs with it"
    looker.now -= 86_400
    assert looker.wait(60) == 0, "its clock was set"
    looker.lost_runs.gone(ONE)
    looker.now += 86_400
    assert looker.wait(60) == 0
    warehouse.close()


def test_a_machine_that_slept_calls_no_run_lost(tmp_path: Path) -> None:
    in_own_process(_slept, tmp_path)
