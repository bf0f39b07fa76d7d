"""The one writer of all imports: runs of a source, as they are, into a server.

    a run with one point a metric     a row of a table (`small_runs`)
    any other run                     events in batches, over one stream (`run_batches`)
    a run that is here                what it has more at the source than here
    a run of which an import stopped  all of it again, of which nothing counts twice

So an import may be stopped anywhere and begun again, and several may be under way at once: of those that bring runs
that may still grow one at a time does (`lease`). What came is counted at the end, where it is read.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fleetlog_core.ids import ID_BYTES, new_random_id
from fleetlog_proto.v1 import event_pb2, ingest_pb2, position_pb2

from fleetlog._delivery.registry import wait_applied
from fleetlog._events.items import Writer
from fleetlog._views.views import Experiment
from fleetlog.client import Client
from fleetlog.errors import FleetlogError
from fleetlog.importers.branches import branched
from fleetlog.importers.connections import connection_of
from fleetlog.importers.destinations import Destinations
from fleetlog.importers.key_check import KeyCheck
from fleetlog.importers.lease import Lease
from fleetlog.importers.model_writer import ModelWriter
from fleetlog.importers.points_batches import batches, behind, events_of, in_range
from fleetlog.importers.present import PresentRun, present_runs, there_of
from fleetlog.importers.report import Report
from fleetlog.importers.run_batches import RunBatches
from fleetlog.importers.run_facts import (
    PreparedRun,
    change_events,
    ending_events,
    may_grow,
    opening_events,
    prepared,
)
from fleetlog.importers.run_files import FileEvents
from fleetlog.importers.run_start import start_of
from fleetlog.importers.sending import PATIENCE_SECONDS, Sender
from fleetlog.importers.small_runs import SmallRun, small_run, table_messages
from fleetlog.importers.source import Points, Source, SourceRun, Unread
from fleetlog.importers.source_models import ModelSource
from fleetlog.importers.table_sending import TableSender

RUNS_AT_ONCE = 1_000
"""Runs that are looked up together, and go together as tables."""
APPLIED_SECONDS = 600.0
"""Longest wait for the server to make readable what it acknowledged."""
REQUEST_SECONDS = 120.0
LEASE_SECONDS = 30.0
"""Seconds after which the lease is given back between two thousand runs, so that another import has its turn."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    runs: int
    points: int
    """Points that were read."""
    files: int
    seconds: float
    """Seconds since it began."""


class ImportWriter:
    """Imports one source; used once."""

    def __init__(
        self,
        client: Client,
        source: Source,
        *,
        experiment: str | None = None,
        since: int | None = None,
        jobs: int = 4,
        on_progress: Callable[[Progress], None] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        on_wait: Callable[[str], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._source = source
        self._since = since
        self._tell = on_progress
        self._connection = connection_of(client)
        self._sender = Sender(self._connection, patience_seconds)
        self._files = FileEvents(self._connection, jobs)
        self._keys = KeyCheck()
        self._report = Report()
        self._left_out: list[Unread] = []
        self._experiment = experiment
        self._ids: dict[str, bytes] = {}
        """Ids here of runs of the source."""
        self._homes: dict[str, int] = {}
        """Numbers of the experiments that they are in."""
        self._expected: dict[bytes, int] = {}
        """Points that each run that was sent has to have."""
        self._rows: dict[bytes, int] = {}
        """Points of each run that went as a row of a table, which comes whole or not at all."""
        self._before = position_pb2.Position()
        """All that was in the log when it began: what it sends itself it does not look up again."""
        self._tables = TableSender(self._connection, client.namespace, source.kind)
        self._lease = Lease(self._connection, client.namespace, source.kind, on_wait=on_wait)
        self._now = now
        self._points = 0
        self._began = time.monotonic()

    def run(self) -> Report:
        """Import it. FleetlogError: the server takes nothing; SourceError: nothing of the source can be read."""
        try:
            self._catch_up()
            destinations = Destinations(self._client, self._experiment, self._left_out)
            for experiment in self._source.experiments():
                destinations.prepare(experiment)
            runs = self._source.runs(self._since)
            while some := list(itertools.islice(runs, RUNS_AT_ONCE)):
                self._import(some, destinations)
            if isinstance(self._source, ModelSource):
                models = ModelWriter(
                    self._client, self._sender, self._files, destinations, self._ids, self._homes, self._left_out
                )
                models.run(self._source, self._report)
            self._finish()
            destinations.finish()
            self._report.experiments = destinations.made
            self._count()
        finally:
            self._sender.close()
            self._tables.close()
            with suppress(FleetlogError):  # what ended it is told, and the lease expires
                self._lease.give_back()
        self._note()
        self._report.add(list(self._source.unread()))
        return self._report

    def _finish(self) -> None:
        """Have everything in the log that was sent, and let another import have its turn."""
        self._sender.finish()
        self._report.new_runs += self._tables.finish()
        self._lease.give_back()

    def _catch_up(self) -> None:
        """Have reads show all that the log has, an import's too that was killed just now: what is here is counted."""
        request = ingest_pb2.GetLogPositionRequest(namespace=self._client.namespace)
        self._connection.saw(
            self._connection.call(self._connection.ingest.GetLogPosition, request, REQUEST_SECONDS).position
        )
        wait_applied(self._connection, APPLIED_SECONDS)
        self._before = self._connection.position()

    def _import(self, sources: Sequence[SourceRun], destinations: Destinations) -> None:
        """Some runs. Those with one point a metric go at once when all were looked at."""
        runs = [self._prepared(source) for source in sources if self._is_first(source)]
        if not self._lease.is_held and any(may_grow(run.source, int(self._now() * 1000)) for run in runs):
            self._lease.take()
            self._catch_up()
        present = present_runs(self._client, [run.run_id for run in runs], self._before)
        small: dict[int, list[SmallRun]] = {}
        for run in runs:
            experiment, known = destinations.of(run.source.experiment), present.get(run.run_id)
            self._homes[run.source.id] = experiment.id
            pieces = self._usable(run)
            if known is None:
                row, pieces = small_run(run, pieces, self._keys)
                if row is not None and next(run.source.files(), None) is None:
                    small.setdefault(experiment.id, []).append(row)
                    self._counted(len(row.points))
                    continue
                if row is not None:
                    pieces = iter(row.points)
            self._send_run(run, experiment, known, pieces)
        for number, rows in small.items():
            self._import_table(rows, number)
        if self._lease.is_held and self._lease.held_seconds > LEASE_SECONDS:
            self._finish()
        self._note()

    def _is_first(self, source: SourceRun) -> bool:
        if source.id not in self._ids:
            return True
        self._left_out.append(Unread(f"run {source.id}", "the source has another run of this id, which came"))
        return False

    def _prepared(self, source: SourceRun) -> PreparedRun:
        run = prepared(source, self._source.kind, start_of(source), self._ids, self._left_out)
        self._ids[source.id] = run.run_id
        return run

    def _usable(self, run: PreparedRun) -> Iterator[Points]:
        """Points with keys and times that can be."""
        for piece in run.source.points():
            if problem := self._keys.problem(piece.key):
                where = f"run {run.source.id}, metric {piece.key}"
                self._left_out.append(Unread(where, f"its points are left out: {problem}", count=len(piece.steps)))
                continue
            points, moved = in_range(piece)
            if moved:
                where, why = f"run {run.source.id}, metric {piece.key}", "times outside of 1970 to 2255 are the nearest"
                self._left_out.append(Unread(where, why, count=moved, is_fault=False))
            yield points

    def _send_run(
        self, run: PreparedRun, experiment: Experiment, known: PresentRun | None, pieces: Iterator[Points]
    ) -> None:
        if known is not None and known.deleted:
            self._pass_over(run, known, pieces)
            return
        grows = known is not None and known.grows(run)
        if grows and run.source.fork is not None:
            # What it has of its origin and what is its own are counted as one here.
            self._report.runs += 1
            if not run.has_ended:
                why = "it goes on at the source: a fork that is here is not brought up to date"
                self._left_out.append(Unread(f"run {run.source.id}", why))
            return
        batch = RunBatches(run, self._client.namespace, experiment.name, experiment.id)
        before = sum(known.points.values()) if known is not None else 0
        if known is not None and grows:
            changed = change_events(
                run, known.params, known.tags, overwrites=not known.has_ended, left_out=self._left_out
            )
            # What is set again changes nothing, but what was set otherwise meanwhile is to be set again.
            batch.add(changed, f"changes {new_random_id().hex()}")
            self._send(batch)
            pieces = behind(pieces, known.points)
        else:
            if run.source.fork is not None and known is None:
                self._sender.finish()
                branched(self._client, run, self._ids, self._left_out)
            batch.add(opening_events(run, experiment.id, self._left_out), "opening")
        count = 0
        place = before if grows else 0
        for points in batches(pieces):
            batch.add(events_of(points, run.start_millis), f"point {place + count}")
            new = sum(len(one.steps) for one in points)
            count += new
            self._counted(new)
            self._send(batch, when_full=True)
        self._send_files(run, known, batch)
        if known is None or not known.has_ended:
            batch.add(ending_events(run, known.tags if known else {}), "ending")
        self._send(batch)
        self._report.runs += 1
        self._report.new_runs += known is None
        self._report.points += count if grows else max(count - before, 0)
        self._expected[run.run_id] = before + count if grows else count

    def _pass_over(self, run: PreparedRun, known: PresentRun, pieces: Iterator[Points]) -> None:
        """A run that is deleted here takes nothing: what it has more at the source is told."""
        self._report.runs += 1
        more = sum(len(piece.steps) for piece in behind(pieces, known.points))
        if more:
            why = "it is deleted here, and has more points at the source: restore it, and import again"
            self._left_out.append(Unread(f"run {run.source.id}", why, count=more))

    def _send_files(self, run: PreparedRun, known: PresentRun | None, batch: RunBatches) -> None:
        present = self._client.list_artifacts(run.run_id.hex()) if known is not None else []
        author = Writer(self._client.namespace, run.run_id, bytes(ID_BYTES), None, "", None)
        made = self._files.events(
            author, run.source.files(), present, run.start_millis, f"run {run.source.id}", self._left_out
        )
        for event in made:
            artifact = event.artifact_logged
            batch.add([event], f"file {artifact.path}")
            self._report.files += 1
            self._report.file_bytes += artifact.size_bytes
            self._send(batch, when_full=True)

    def _send(self, batch: RunBatches, *, when_full: bool = False) -> None:
        if when_full and not batch.is_full:
            return
        taken = batch.take()
        if taken is not None:
            self._lease.check()
            self._sender.send(*taken)

    def _import_table(self, rows: Sequence[SmallRun], experiment_id: int) -> None:
        for message in table_messages(rows, experiment_id, self._left_out):
            self._lease.check()
            self._report.new_runs += self._tables.send(message, self._before)
            for run_id, count in _points_by_run(message).items():
                self._rows[run_id] = count
                self._report.points += count
        self._report.runs += len(rows)

    def _counted(self, points: int) -> None:
        self._points += points
        if self._tell is not None:
            done = self._report
            self._tell(Progress(done.runs, self._points, done.files, time.monotonic() - self._began))

    def _count(self) -> None:
        """Look whether all that was sent can be read."""
        wait_applied(self._connection, APPLIED_SECONDS)
        for some in _parts(self._expected, RUNS_AT_ONCE):
            present = present_runs(self._client, some, self._connection.position())
            for run_id in some:
                found = present.get(run_id)
                missing = self._expected[run_id] - (sum(found.points.values()) if found else 0)
                if found is None:
                    self._left_out.append(Unread(f"run {run_id.hex()}", "it was sent and can't be read"))
                if missing > 0:
                    self._report.points -= missing
                    why = "points were sent and can't be read; the run's problems tell why"
                    self._left_out.append(Unread(f"run {run_id.hex()}", why, count=missing))

        for some in _parts(self._rows, RUNS_AT_ONCE):
            there = there_of(self._client, some, self._connection.position())
            for run_id in some:
                if run_id not in there:
                    self._report.points -= self._rows[run_id]
                    self._left_out.append(Unread(f"run {run_id.hex()}", "it was sent and can't be read"))

    def _note(self) -> None:
        self._report.add([*self._left_out, *self._sender.take_refused()])
        self._left_out.clear()


def _points_by_run(runs: event_pb2.RunsImported) -> dict[bytes, int]:
    ids = [runs.run_ids[first : first + ID_BYTES] for first in range(0, len(runs.run_ids), ID_BYTES)]
    counts = [0] * len(ids)
    for metric in runs.metrics:
        for row in metric.rows or range(len(ids)):
            counts[row] += 1
    return dict(zip(ids, counts, strict=True))


def _parts(ids: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    pending = iter(ids)
    while some := list(itertools.islice(pending, size)):
        yield some
