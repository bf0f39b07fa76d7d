"""Runs of which nothing is heard any more, found by the materializer that owns their partitions, and told to the log.

That a run is lost is an event like others: two materializers that decide the same tell it by the same writer, and what
a writer says behind it brings the run back. Nothing is decided before all that the log has of a partition is applied.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from fleetlog_core.endings import Endings
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.limits import LOST_SECONDS
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.warehouse.port import Statement, TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.loop.silence import LostRun, Silence

diagnostics = logging.getLogger(__name__)
LOOK_SECONDS = 15.0
MOST_AT_ONCE = 1_000
STALL_SECONDS = 60.0
"""Time without a look after which what was not heard meanwhile says nothing."""
_AT_WORK = Statement(
    "SELECT namespace, run_id, ver, endings FROM runs FINAL"
    f" WHERE state = {int(event_pb2.RUN_STATE_RUNNING)} AND endings != '' AND deleted = 0",
    wide=True,
)


class LostRuns:
    """Lost runs of one materializer's partitions; for its thread. `limit_seconds`: see Silence; `now`: Unix seconds."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        limit_seconds: Callable[[str], float] = lambda namespace: LOST_SECONDS,
        now: Callable[[], float] = time.time,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._limit_seconds = limit_seconds
        self._now = now
        self._look_seconds = look_seconds
        self._silences: dict[Partition, Silence] = {}
        self._new: set[Partition] = set()
        """Partitions whose runs are not read yet."""
        self._looked = now()

    def opened(self, partition: Partition) -> None:
        """The partition is ours from now on."""
        if partition.topic == EVENTS:
            self._silences[partition] = Silence(self._limit_seconds)
            self._new.add(partition)

    def gone(self, partition: Partition) -> None:
        """It is no more."""
        self._silences.pop(partition, None)
        self._new.discard(partition)

    def applied(self, partition: Partition, records: Sequence[Decoded], changed: dict[RunKey, Run]) -> None:
        """A batch of the partition is in, which left these runs like this."""
        silence = self._silences.get(partition)
        if silence is not None:
            silence.applied(records, changed)

    def begin_anew(self) -> None:
        """The log or the tables did not answer for a while: silence before now says nothing."""
        millis = self._millis()
        for silence in self._silences.values():
            silence.begin_anew(millis)

    def look(self, reached: Callable[[Partition], int | None]) -> int:
        """Tell the log of runs that are lost, if it is time to look; how many. `reached` is the next offset of a
        partition of which nothing waits. LogUnavailable."""
        since = self._now() - self._looked
        if 0 <= since < self._look_seconds:
            return 0
        self._looked = self._now()
        if self._new:
            self._begin()
        if not 0 <= since < STALL_SECONDS:
            # The machine slept, or its clock was set.
            self.begin_anew()
        told = 0
        for partition, silence in self._silences.items():
            millis = self._millis()
            lost = silence.overdue(millis, MOST_AT_ONCE)
            if not lost or self._log.next_offset(partition) != reached(partition):
                continue
            for run in lost:
                # Not waited for: should the log not take it, it is decided again.
                self._log.append(EVENTS, run.key[1], record_of(run, millis))
            silence.decided(lost, millis)
            told += len(lost)
        return told

    def _begin(self) -> None:
        """Begin the time of runs that are at work in partitions that came."""
        millis = self._millis()
        try:
            rows = self._warehouse.select(_AT_WORK)
        except (WarehouseUnavailable, WarehouseRefused, TimedOut) as error:
            diagnostics.warning("runs that are at work can't be read, asking again: %s", error)
            return
        count = self._log.partitions(EVENTS)
        ids = [run_id.tobytes() for run_id in rows.array("run_id")] if rows.rows else []
        found: dict[Partition, list[tuple[RunKey, int]]] = {partition: [] for partition in self._new}
        if ids:
            columns = (rows.texts("namespace"), ids, rows.array("ver").tolist(), rows.texts("endings"))
            for namespace, run_id, ver, text in zip(*columns, strict=True):
                partition = Partition(EVENTS, partition_of(run_id, count))
                endings = Endings.parse(text)
                if partition in found and endings is not None and endings.at_work:
                    found[partition].append(((namespace, run_id), ver))
        for partition, runs in found.items():
            self._silences[partition].begin(runs, millis)
        self._new.clear()

    def _millis(self) -> int:
        return int(self._now() * 1000)


def record_of(run: LostRun, now_millis: int) -> bytes:
    """The frame that says that the run is lost; whoever decides the same of it says it as the same writer."""
    namespace, run_id = run.key
    writer = sha256(b"fleetlog lost run" + namespace.encode() + run_id + run.ver.to_bytes(8, "big")).digest()[:ID_BYTES]
    lost = event_pb2.RunLost(ver=run.ver, heard_time_millis=run.heard_millis)
    event = event_pb2.Event(sequence=1, observe_time_millis=now_millis, ignorable=True, run_lost=lost)
    frame = frame_pb2.Frame(
        namespace=namespace, run_id=run_id, writer_id=writer, ingest_time_millis=now_millis, events=[event]
    )
    return frame.SerializeToString()
