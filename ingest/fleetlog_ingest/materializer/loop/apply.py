"""One batch into the warehouse, table by table, such that doing it again changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.decisions import Decision, Decisions
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import CONTROL, EVENTS, Fenced, LogUnavailable, Partition
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.outages import Outage
from fleetlog_core.rebuilds import rebuild_targets
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.threads import start_threads
from fleetlog_core.warehouse.port import (
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)
from fleetlog_core.warehouse.schema import NO_EXPERIMENT

from fleetlog_ingest.materializer.control.control import CONTROL_FIRST, CONTROL_LAST, fold_control
from fleetlog_ingest.materializer.control.record_rows import ExperimentOf, log_rows
from fleetlog_ingest.materializer.fold.artifacts import Artifacts
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.result import DeadLetter, Folded
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey, State
from fleetlog_ingest.materializer.fold.tables import (
    FIRST,
    LANES,
    OF_THE_STORE,
    ROWS_PER_INSERT,
    Columns,
    columns_of,
    piece,
    rows_in,
)
from fleetlog_ingest.materializer.loop.dead_letters import DeadLetterRate
from fleetlog_ingest.materializer.loop.pieces import Batch, Counts, Pieces
from fleetlog_ingest.materializer.state.control_loading import ControlStore
from fleetlog_ingest.materializer.state.experiment_loading import load_experiments
from fleetlog_ingest.materializer.state.import_loading import load_imports
from fleetlog_ingest.materializer.state.loading import BatchIsIn, StateStore

LONGEST_WAIT_SECONDS = 5.0
STAY_SECONDS = 5.0
"""How often it is heard of while only the thread beside it works."""

T = TypeVar("T")


class Stopped(Exception):
    """It was told to stop while it waited for something that does not answer. The batch is done again."""


class Outages:
    """What fails for the time being, and is tried again."""

    def __init__(self) -> None:
        self.batches = Outage("batches can't be applied")
        """What a batch needs: the warehouse, or the log for its dead letters."""
        self.artifacts = Outage("artifacts wait for their store")


class Applier:
    """Folds batches and inserts their rows. Used by one thread, and has another that inserts beside it.

    `bury` takes dead letters and returns when they are durable. Everything that does not answer is tried again until
    `stopped` is set; `stay` is called before each of these waits, from either thread, and a Fenced of it ends them.
    `event_partitions` is how many partitions the topic EVENTS has. `decisions` is told of what the control partition
    decides, when it is visible; `changed` of the runs that a batch left as they are now.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        objects: ObjectStore,
        epoch: str,
        bury: Callable[[Sequence[DeadLetter]], None],
        stopped: threading.Event,
        limits: RunLimits | None = None,
        event_partitions: int = 1,
        stay: Callable[[], None] = lambda: None,
        decisions: Decisions | None = None,
        changed: Callable[[Batch, dict[RunKey, Run]], None] = lambda batch, runs: None,
    ) -> None:
        self._changed = changed
        self._warehouse = warehouse
        self._event_partitions = event_partitions
        self.outages = Outages()
        self.artifacts = Artifacts(objects, self.outages.artifacts)
        self._epoch = epoch
        self._bury = bury
        self._stopped = stopped
        self._stay = stay
        self._limits = limits or RunLimits()
        self._states: dict[Partition, StateStore] = {}
        self._control = ControlStore(warehouse)
        self._decisions = decisions or Decisions()
        self._rate = DeadLetterRate()
        self._beside = ContextThreads(1, "inserts")
        start_threads(self._beside, 1)

    def close(self) -> None:
        """Let the threads go. Idempotent."""
        self._beside.shutdown()
        self.artifacts.close()

    def applied(self, partition: Partition) -> int:
        """How far the warehouse has the partition: its next offset."""
        return offsets_of(self._ask(lambda: self._warehouse.select(APPLIED))).get(partition, 0)

    def is_empty(self) -> bool:
        """Whether the warehouse is new: nothing of any partition is in, not even of a batch that broke off."""
        tables = ("applied", "run_touches", "run_homes", "points", "problems", "writers", "outcomes")
        counts = " UNION ALL ".join(f"SELECT count() AS rows FROM {table}" for table in tables)
        statement = Statement(f"SELECT sum(rows) AS n FROM ({counts})")
        return int(self._ask(lambda: self._warehouse.select(statement)).array("n")[0]) == 0

    def rebuild_target(self, partition: Partition) -> int:
        """The next offset that a rebuild of the tables has to reach; 0 when none was begun."""
        return self._ask(lambda: rebuild_targets(self._warehouse)).get(partition, 0)

    def forget(self, partition: Partition) -> None:
        """The partition was another member's for a while, or may have been."""
        self._states.pop(partition, None)
        if partition.topic == CONTROL:
            self._control.forget()

    def apply(self, batch: Batch) -> Counts:
        """Fold the batch and insert its rows, `applied` last. Stopped, TooManyBad, WarehouseRefused."""
        decided: Sequence[Decision] = ()
        experiment_of: ExperimentOf = _no_experiment
        try:
            if batch.partition.topic == CONTROL:
                counts, decided = self._apply_control(batch)
            else:
                counts, experiment_of = self._apply_events(batch)
        except BatchIsIn:
            self.forget(batch.partition)
            counts = Counts(records=len(batch.records))
            known = self._ask(lambda: load_experiments(self._warehouse, batch.records))
            experiment_of = _known_experiments(known)
        partition = batch.partition
        count = self._event_partitions if partition.topic == EVENTS else 1
        self._insert("log_times", log_rows(batch.records, count, experiment_of), batch)
        row = (partition.topic, partition.number, batch.last + 1)
        self._insert("applied", columns_of("applied", [row]), batch)
        for decision in decided:
            self._decisions.tell(decision)
        return counts

    def _apply_control(self, batch: Batch) -> tuple[Counts, Sequence[Decision]]:
        try:
            state = self._ask(lambda: self._control.load(batch.records, batch.first))
            folded = fold_control(batch.records, state)
            self._dead(len(batch.records), folded.dead)
            others = [table for table in folded.tables if table not in (*CONTROL_FIRST, *CONTROL_LAST)]
            for tables in (CONTROL_FIRST, others, CONTROL_LAST):
                self._insert_beside([table for table in tables if table in folded.tables], folded.tables, batch)
        except BaseException:
            # What is held may be ahead of the warehouse: read it anew.
            self._control.forget()
            raise
        self._control.keep(folded)
        rows, dead = sum(map(rows_in, folded.tables.values())), len(folded.dead)
        return Counts(len(batch.records), len(batch.records) - dead, 0, 0, rows, dead), folded.decisions

    def _apply_events(self, batch: Batch) -> tuple[Counts, ExperimentOf]:
        states = self._states.get(batch.partition)
        if states is None:
            states = self._states[batch.partition] = StateStore(self._warehouse, limits=self._limits)
        try:
            state = self._ask(lambda: self._state(states, batch))
            pieces = Pieces(batch, state, self.artifacts, self._limits)
            folded = pieces.fold()
            self._dead(len(batch.records), folded.dead)
            folded = self._insert_all(pieces, folded)
        except BaseException:
            # What is remembered may be ahead of the warehouse or behind it: read it anew.
            states.forget()
            raise
        if not batch.imports:
            states.keep(folded.changes)
            self._changed(batch, folded.changes.runs)
        rows = sum(map(rows_in, folded.tables.values()))
        dead = len(folded.dead)
        pending = rows_in(folded.tables["pending_artifacts"]) if "pending_artifacts" in folded.tables else 0
        found = (folded.events, folded.duplicates, folded.points, rows, dead, pending, folded.gaps, folded.reused)
        return Counts(len(batch.records), *found), _experiments_of(state, folded.changes)

    def _insert_all(self, pieces: Pieces, folded: Folded) -> Folded:
        """Insert its rows. Answers with what is in: without the records that the warehouse refused."""
        done = set[str]()
        self._insert_lane([table for table in FIRST if table in folded.tables], folded, pieces, done)
        here, there = ([table for table in lane if table in folded.tables] for lane in LANES)
        beside = self._beside.submit(self._insert_lane, there, folded, pieces, done) if here and there else None
        try:
            self._insert_lane(here if beside else [*here, *there], folded, pieces, done)
        finally:
            if beside is not None:
                self._await(beside)
        if beside is not None:
            beside.result()
        while left := [table for table in folded.tables if table not in done]:
            table = left[0]
            try:
                self._insert_of(pieces, table, folded.tables[table])
            except WarehouseRefused:
                if table == "writers":
                    raise
                folded = self._without_refused(pieces, table)
            done.add(table)
        return folded

    def _insert_beside(self, tables: Sequence[str], columns: Mapping[str, Columns], batch: Batch) -> None:
        """Insert these tables two at a time, in any order. WarehouseRefused."""

        def insert(some: Sequence[str]) -> None:
            for table in some:
                self._insert(table, columns[table], batch)

        here, there = tables[::2], tables[1::2]
        beside = self._beside.submit(insert, there) if there else None
        try:
            insert(here)
        finally:
            if beside is not None:
                self._await(beside)
        if beside is not None:
            beside.result()

    def _await(self, beside: Future[None]) -> None:
        """Whatever happened here: of a batch that is done again nothing is still on its way."""
        left: Fenced | None = None
        while wait([beside], STAY_SECONDS).not_done:
            try:
                self._stay()
            except Fenced as error:
                left = error
        if left is not None:
            raise left

    def _insert_lane(self, tables: Sequence[str], folded: Folded, pieces: Pieces, done: set[str]) -> None:
        """One table after another, as far as none is refused."""
        for table in tables:
            try:
                self._insert_of(pieces, table, folded.tables[table])
            except WarehouseRefused:
                return
            done.add(table)

    def _state(self, states: StateStore, batch: Batch) -> State:
        if batch.imports:
            return load_imports(self._warehouse, batch.records, batch.first)
        return states.load(batch.records, batch.first)

    def _without_refused(self, pieces: Pieces, table: str) -> Folded:
        """The warehouse refused rows of the table: find the records that they come from, and leave those out.

        Halves of the batch are tried one by one, each with a token of its own, so that a repeat finds the same. Rows
        that the bad record already has in other tables stay. Answers with the batch as it is without them.
        """
        refused = self._try_pieces(pieces, table, pieces.batch.records, pieces.state)
        pieces.refused.update(refused)
        folded = pieces.fold()
        self._dead(0, [letter for letter in folded.dead if letter.record.offset in refused])
        return folded

    def _try_pieces(self, pieces: Pieces, table: str, records: Sequence[Decoded], state: State) -> dict[int, str]:
        folded = pieces.fold_some(records, state)
        if table not in folded.tables:
            return {}
        first, last = records[0].record.offset, records[-1].record.offset
        try:
            self._insert_of(pieces, table, folded.tables[table], f"/{first}-{last}")
        except WarehouseRefused as error:
            if len(records) == 1:
                return {first: f"the warehouse can't hold a row of it in {table} ({type(error).__name__})"}
        else:
            return {}
        middle = len(records) // 2
        left, right = records[:middle], records[middle:]
        refused = self._try_pieces(pieces, table, left, state)
        pieces.refused.update(refused)
        after = state.after(pieces.fold_some(left, state).changes)
        return {**refused, **self._try_pieces(pieces, table, right, after)}

    def _insert_of(self, pieces: Pieces, table: str, columns: Columns, suffix: str = "") -> None:
        answers = pieces.stored_token() if table in OF_THE_STORE else ""
        self._insert(table, columns, pieces.batch, suffix + answers)

    def _insert(self, table: str, columns: Columns, batch: Batch, suffix: str = "") -> None:
        partition = batch.partition
        token = f"{self._epoch}:{partition.topic}:{partition.number}:{batch.first}-{batch.last}{suffix}"
        rows = rows_in(columns)
        if rows <= ROWS_PER_INSERT:
            self._retry(lambda: self._warehouse.insert(table, columns, token))
            return
        for number, place in enumerate(range(0, rows, ROWS_PER_INSERT)):
            part, name = piece(columns, place, place + ROWS_PER_INSERT), f"{token}:{number}"
            self._insert_part(table, part, name)

    def _insert_part(self, table: str, columns: Columns, token: str) -> None:
        self._retry(lambda: self._warehouse.insert(table, columns, token))

    def _dead(self, records: int, dead: Sequence[DeadLetter]) -> None:
        self._rate.note(records, len(dead))
        if dead:
            self._retry(lambda: self._bury(dead))

    def _ask(self, call: Callable[[], T]) -> T:
        """As `_retry`, for what reads: a statement of ours that is refused says nothing of the records either."""

        def asked() -> T:
            try:
                return call()
            except WarehouseRefused as error:
                raise WarehouseUnavailable(f"a statement is refused: {error}") from error

        return self._retry(asked)

    def _retry(self, call: Callable[[], T]) -> T:
        wait = 0.05
        while True:
            try:
                done = call()
            except (WarehouseUnavailable, TimedOut, LogUnavailable) as error:
                # The same again with the same token, for as long as it takes: there is nothing else to be done.
                self.outages.batches.failed(error)
                self._wait(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                self.outages.batches.ended()
                return done

    def _wait(self, seconds: float) -> None:
        self._stay()
        if self._stopped.wait(seconds):
            raise Stopped


def _no_experiment(key: RunKey) -> int:
    return NO_EXPERIMENT


def _known_experiments(known: Mapping[RunKey, int]) -> ExperimentOf:
    return lambda key: known.get(key, NO_EXPERIMENT)


def _experiments_of(before: State, changes: State) -> ExperimentOf:
    """As the fold knows them."""

    def experiment_of(key: RunKey) -> int:
        found = (
            changes.runs.get(key) or before.runs.get(key) or changes.models.get(key) or before.models.get(key)
        )  # fmt: skip
        return NO_EXPERIMENT if found is None else found.experiment

    return experiment_of
