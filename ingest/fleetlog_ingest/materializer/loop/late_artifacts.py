"""Artifacts that were PENDING when their events were applied: tried again until the object store has them.

`pending_artifacts` in the warehouse says which, so that they outlive this process, and the log has their events. What
becomes of one is what the fold would have made of it: a row of `artifacts` and of its history with the `ver` of its
event, or of `problems`. The rows are the same whoever writes them and however often, and the tables keep one of each:
so it does no harm when two materializers, or a batch that is done again, see to one artifact both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from fleetlog_core.log.port import EVENTS, EventLog, LogUnavailable, Partition, RecordsGone
from fleetlog_core.objects.port import ObjectName
from fleetlog_core.outages import Outage
from fleetlog_core.warehouse.port import (
    Answer,
    Bind,
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)
from fleetlog_core.warehouse.schema import PLACE_BITS
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.artifact_rows import artifact_row, logged_row
from fleetlog_ingest.materializer.fold.artifacts import Artifacts, Stored, problem_of
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.materializer.fold.tables import Row, columns_of

PERIOD_SECONDS = 2.0
"""How long after a failure the store is asked again."""
PAGE = 100
_FIRST = (-1, 0, b"")
"""A place before every pending artifact: part, ver, run id."""
LATE_PLACE = 1 << 31
"""Added to the place of a problem within its record: beyond those that the fold numbers."""

_PENDING = """
SELECT namespace, run_id, part, off, ver, path, size_bytes, sha256, writer_id, sequence, reason,
    toUnixTimestamp64Milli(ingest_time) AS at
FROM pending_artifacts FINAL
WHERE stored = 0 AND part IN {parts:Array(UInt16)} AND (part, ver, run_id)
    > ({part:Int32}, {ver:UInt64}, unhex({run:String}))
ORDER BY part, ver, run_id LIMIT {page:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A row of `pending_artifacts`."""

    namespace: str
    run_id: bytes
    part: int
    offset: int
    ver: int
    path: str
    size_bytes: int
    digest: str
    writer_id: bytes
    sequence: int
    reason: str
    ingest_time_millis: int

    def stored(self) -> Row:
        """The row that says that it was seen to."""
        return self._row(1)

    def _row(self, stored: int) -> Row:
        return (
            self.namespace, self.run_id, self.part, self.offset, self.ver, self.path, self.size_bytes, self.digest,
            self.writer_id, self.sequence, self.reason, self.ingest_time_millis, stored,
        )  # fmt: skip


class LateArtifacts:
    """Sees to the pending artifacts of some partitions, in a thread of its own from `start` to `stop`.

    `partitions` says which are this materializer's by now. `outage` is the one of `artifacts`.
    """

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        artifacts: Artifacts,
        outage: Outage,
        epoch: str,
        partitions: Callable[[], Iterable[Partition]],
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._artifacts = artifacts
        self._outage = outage
        self._epoch = epoch
        self._partitions = partitions
        self._period_seconds = period_seconds
        self._due = threading.Event()
        self._stopped = threading.Event()
        self._after = _FIRST
        """The last one that was tried: behind it the next look begins, so that one that does not fit keeps up none."""
        self.failure: BaseException | None = None
        """What ended the thread, when it was a fault of its own."""
        self._thread = threading.Thread(target=self._work, name="late-artifacts", daemon=True)

    def start(self) -> None:
        """Begin to work, when there is something due."""
        self._thread.start()

    def stop(self) -> None:
        """End; one that is being stored may be stored still. Idempotent."""
        self._stopped.set()
        self._due.set()
        if self._thread.ident is not None:
            self._thread.join(self._period_seconds)

    def due(self) -> None:
        """There may be pending ones. From any thread."""
        self._due.set()

    def look(self) -> bool:
        """Try those that are pending, until one is PENDING again. Whether none is left."""
        parts = sorted(partition.number for partition in self._partitions() if partition.topic == EVENTS)
        begun = self._after
        while parts and not self._stopped.is_set():
            page = self._page(parts)
            done: list[tuple[Pending, event_pb2.ArtifactLogged, Stored]] = []
            for pending in page:
                self._after = (pending.part, pending.ver, pending.run_id)
                event = self._event(pending)
                stored = Stored.MISSING if event is None else self._retry(pending, event)
                if stored is Stored.PENDING:
                    break
                done.append((pending, event or event_pb2.ArtifactLogged(path=pending.path), stored))
            self._tell(done)
            if len(done) < len(page):
                return False
            if len(page) < PAGE:
                if begun == _FIRST:
                    break
                # Those before the place where it began come last.
                self._after = begun = _FIRST
        self._after = _FIRST
        return True

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._due.wait()
            self._due.clear()
            try:
                is_done = self.look()
            except (LogUnavailable, WarehouseUnavailable, TimedOut, OSError, MemoryError):
                # The batches meet the same, and it is told there.
                is_done = False
            except WarehouseRefused as error:
                self._outage.failed(error)
                is_done = False
            except BaseException as error:  # raised by whoever began this, who ends loudly
                self.failure = error
                return
            else:
                if is_done:
                    self._outage.ended()
            if not is_done and not self._stopped.wait(self._period_seconds):
                self._due.set()

    def _page(self, parts: Sequence[int]) -> list[Pending]:
        part, ver, run_id = self._after
        binds: dict[str, Bind] = {"parts": parts, "part": part, "ver": ver, "run": run_id.hex(), "page": PAGE}
        return _rows(self._warehouse.select(Statement(_PENDING, binds)))

    def _event(self, pending: Pending) -> event_pb2.ArtifactLogged | None:
        """The event as the log has it; None when the log does not have it any more."""
        try:
            records = self._log.read(Partition(EVENTS, pending.part), pending.offset, max_bytes=1)
        except RecordsGone:
            return None
        if not records:
            raise LogUnavailable(f"{EVENTS}-{pending.part} does not have the offset {pending.offset} now")
        frame = decode(records[0]).frame
        for event in frame.events if frame is not None else ():
            if event.sequence == pending.sequence and event.WhichOneof("payload") == "artifact_logged":
                return event.artifact_logged
        return None

    def _retry(self, pending: Pending, event: event_pb2.ArtifactLogged) -> Stored:
        return self._artifacts.retry(ObjectName(pending.namespace, pending.run_id, event.sha256), event)

    def _tell(self, done: Sequence[tuple[Pending, event_pb2.ArtifactLogged, Stored]]) -> None:
        """The rows of what was seen to, the ones that say so last."""
        shown: list[Row] = []
        problems: list[Row] = []
        for pending, event, stored in done:
            wrong = problem_of(event, stored)
            name, time = (pending.namespace, pending.run_id), pending.ingest_time_millis
            if wrong is None:
                shown.append(artifact_row(name, pending.path, pending.size_bytes, pending.digest, time, pending.ver))
            else:
                place = LATE_PLACE | pending.ver & ((1 << PLACE_BITS) - 1)
                where = (pending.part, pending.offset, place, pending.writer_id, pending.sequence)
                problems.append((*name, *where, *wrong, 0, time))
        self._insert("artifacts", shown)
        self._insert("artifact_history", [logged_row(row) for row in shown])
        self._insert("problems", problems)
        self._insert("pending_artifacts", [pending.stored() for pending, _, _ in done])

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            # By what is in it: the rows of another look are another insert.
            digest = sha256(repr(rows).encode("utf-8", "surrogateescape")).hexdigest()
            self._warehouse.insert(table, columns_of(table, rows), f"{self._epoch}:late:{digest}")


def _rows(answer: Answer) -> list[Pending]:
    numbers = [answer.array(name).tolist() for name in ("part", "off", "ver")]
    found = zip(
        answer.texts("namespace"), map(bytes, answer.array("run_id").tolist()), *numbers, answer.texts("path"),
        answer.array("size_bytes").tolist(), answer.texts("sha256"), map(bytes, answer.array("writer_id").tolist()),
        answer.array("sequence").tolist(), answer.texts("reason"), answer.array("at").tolist(), strict=True,
    )  # fmt: skip
    return [Pending(*row) for row in found]
