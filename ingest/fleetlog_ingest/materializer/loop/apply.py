"""One batch into the warehouse, table by table, such that doing it again changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.decisions import Decision, Decisions
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.outages import Outage
from fleetlog_core.rebuilds import rebuild_targets
from fleetlog_core.warehouse.port import (
    Statement,
    Warehouse,
)
from fleetlog_core.warehouse.schema import NO_EXPERIMENT

from fleetlog_ingest.materializer.control.control import CONTROL_FIRST, CONTROL_LAST, fold_control
from fleetlog_ingest.materializer.control.record_rows import ExperimentOf, log_rows
from fleetlog_ingest.materializer.fold.artifacts import Artifacts
from fleetlog_ingest.materializer.fold.result import DeadLetter
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey, State
from fleetlog_ingest.materializer.fold.tables import Columns, columns_of, rows_in
from fleetlog_ingest.materializer.loop.dead_letters import DeadLetterRate
from fleetlog_ingest.materializer.loop.inserting import Inserter
from fleetlog_ingest.materializer.loop.pieces import Batch, Counts, Pieces
from fleetlog_ingest.materializer.loop.retrying import Retrying
from fleetlog_ingest.materializer.state.control_loading import ControlStore
from fleetlog_ingest.materializer.state.experiment_loading import load_experiments
from fleetlog_ingest.materializer.state.import_loading import load_imports
from fleetlog_ingest.materializer.state.loading import BatchIsIn, StateStore


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
        self._bury = bury
        self._limits = limits or RunLimits()
        self._states: dict[Partition, StateStore] = {}
        self._control = ControlStore(warehouse)
        self._decisions = decisions or Decisions()
        self._rate = DeadLetterRate()
        self._retrying = Retrying(self.outages.batches, stopped, stay)
        self._inserter = Inserter(warehouse, epoch, self._retrying, lambda dead: self._dead(0, dead), stay)

    def close(self) -> None:
        """Let the threads go. Idempotent."""
        self._inserter.close()
        self.artifacts.close()

    def applied(self, partition: Partition) -> int:
        """How far the warehouse has the partition: its next offset."""
        return offsets_of(self._retrying.ask(lambda: self._warehouse.select(APPLIED))).get(partition, 0)

    def is_empty(self) -> bool:
        """Whether the warehouse is new: nothing of any partition is in, not even of a batch that broke off."""
        tables = ("applied", "run_touches", "run_homes", "points", "problems", "writers", "outcomes")
        counts = " UNION ALL ".join(f"SELECT count() AS rows FROM {table}" for table in tables)
        statement = Statement(f"SELECT sum(rows) AS n FROM ({counts})")
        return int(self._retrying.ask(lambda: self._warehouse.select(statement)).array("n")[0]) == 0

    def rebuild_target(self, partition: Partition) -> int:
        """The next offset that a rebuild of the tables has to reach; 0 when none was begun."""
        return self._retrying.ask(lambda: rebuild_targets(self._warehouse)).get(partition, 0)

    def forget(self, partition: Partition) -> None:
        """The partition was another member's for a while, or may have been."""
        self._states.pop(partition, None)
        if partition.topic == CONTROL:
            self._control.forget()

    def apply(self, batch: Batch) -> Counts:
        """Fold the batch and insert its rows, `applied` last. Stopped, TooManyBad, WarehouseRefused."""
        decided: Sequence[Decision] = ()
        try:
            if batch.partition.topic == CONTROL:
                counts, decided = self._apply_control(batch)
            else:
                counts = self._apply_events(batch)
        except BatchIsIn:
            self.forget(batch.partition)
            counts = Counts(records=len(batch.records))
            known = self._retrying.ask(lambda: load_experiments(self._warehouse, batch.records))
            self._inserter.insert("log_times", self._times(batch, _known_experiments(known)), batch)
        partition = batch.partition
        row = (partition.topic, partition.number, batch.last + 1)
        self._inserter.insert("applied", columns_of("applied", [row]), batch)
        for decision in decided:
            self._decisions.tell(decision)
        return counts

    def _apply_control(self, batch: Batch) -> tuple[Counts, Sequence[Decision]]:
        try:
            state = self._retrying.ask(lambda: self._control.load(batch.records, batch.first))
            folded = fold_control(batch.records, state)
            self._dead(len(batch.records), folded.dead)
            others = [table for table in folded.tables if table not in (*CONTROL_FIRST, *CONTROL_LAST)]
            for tables in (CONTROL_FIRST, others, CONTROL_LAST):
                self._inserter.insert_beside(
                    [table for table in tables if table in folded.tables], folded.tables, batch
                )
        except BaseException:
            # What is held may be ahead of the warehouse: read it anew.
            self._control.forget()
            raise
        self._control.keep(folded)
        self._inserter.insert("log_times", self._times(batch, _no_experiment), batch)
        rows, dead = sum(map(rows_in, folded.tables.values())), len(folded.dead)
        return Counts(len(batch.records), len(batch.records) - dead, 0, 0, rows, dead), folded.decisions

    def _times(self, batch: Batch, experiment_of: ExperimentOf) -> Columns:
        count = self._event_partitions if batch.partition.topic == EVENTS else 1
        return log_rows(batch.records, count, experiment_of)

    def _apply_events(self, batch: Batch) -> Counts:
        states = self._states.get(batch.partition)
        if states is None:
            states = self._states[batch.partition] = StateStore(self._warehouse, limits=self._limits)
        try:
            state = self._retrying.ask(lambda: self._state(states, batch))
            pieces = Pieces(batch, state, self.artifacts, self._limits)
            folded = pieces.fold()
            self._dead(len(batch.records), folded.dead)
            times = self._times(batch, _experiments_of(state, folded.changes))
            folded = self._inserter.insert_all(pieces, folded, times)
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
        return Counts(len(batch.records), *found)

    def _state(self, states: StateStore, batch: Batch) -> State:
        if batch.imports:
            return load_imports(self._warehouse, batch.records, batch.first)
        return states.load(batch.records, batch.first)

    def _dead(self, records: int, dead: Sequence[DeadLetter]) -> None:
        self._rate.note(records, len(dead))
        if dead:
            self._retrying.call(lambda: self._bury(dead))


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
