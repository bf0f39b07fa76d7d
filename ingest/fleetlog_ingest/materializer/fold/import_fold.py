"""The fold of imported tables into rows. Pure; it gives what the events that the tables stand for would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.rules.imports import I64, check_import, ids_of
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.materializer.fold.decoding import MALFORMED, Decoded
from fleetlog_ingest.materializer.fold.derived_tables import follow
from fleetlog_ingest.materializer.fold.import_columns import (
    ImportColumns,
    Mask,
    RunColumns,
    attr_columns,
    points_of,
    run_columns,
)
from fleetlog_ingest.materializer.fold.result import NOBODY, DeadLetter, Folded
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_ingest.materializer.fold.summaries import summarize
from fleetlog_ingest.materializer.fold.tables import EVENT_TABLES, Columns, Row, columns_of, stack

_THERE = Run()
"""Stands for a run that is there, whatever it is like."""
_ONE = ((1, 1),)


class ImportFold:
    """Folds the tables of one batch of one partition; used once. Arguments as of EventFold.

    Of `state` only the keys of runs and writers count: which runs are there, and which of them this import has made.
    """

    def __init__(
        self, state: State, partition: int, next_offset: int, refused: Mapping[int, str] | None = None
    ) -> None:
        self._before = state
        self._partition = partition
        self._next_offset = next_offset
        self._refused = refused or {}
        self._out = Folded()
        self._found = ImportColumns()
        self._writers: list[bytes] = []
        self._skews: dict[tuple[str, int], tuple[int, int]] = {}
        self._problems: list[Row] = []

    def fold(self, records: Sequence[Decoded]) -> Folded:
        """Fold them, in order: records of which each holds a table."""
        for decoded in records:
            if decoded.frame is not None:
                self._fold_frame(decoded, decoded.frame)
        return self._finish()

    def _fold_frame(self, decoded: Decoded, frame: frame_pb2.Frame) -> None:
        runs, offset = frame.events[0].runs_imported, decoded.record.offset
        if offset in self._refused:
            self._refuse(decoded, frame, "WAREHOUSE_REFUSED", self._refused[offset])
            return
        try:
            check_import(runs, "runs_imported")
        except (InvalidArgument, ResourceExhausted) as error:
            self._refuse(decoded, frame, MALFORMED, error.message)
            return
        kept = self._kept(decoded, frame, runs)
        if kept.any():
            self._take(decoded, frame, runs, kept)
        self._out.events += 1

    def _refuse(self, decoded: Decoded, frame: frame_pb2.Frame, reason: str, message: str) -> None:
        points = sum(len(metric.values) for metric in frame.events[0].runs_imported.metrics)
        self._problem(decoded, frame, frame.run_id, 0, reason, message, points)
        self._out.dead.append(DeadLetter(decoded.record, reason))

    def _kept(self, decoded: Decoded, frame: frame_pb2.Frame, runs: event_pb2.RunsImported) -> Mask:
        """The runs that are not there yet. Those that another import made, or training code, tell of it."""
        namespace = decoded.namespace
        before, changed = self._before, self._out.changes
        ids: list[bytes] = ids_of(runs).tolist()
        kept = np.ones(len(ids), dtype=np.bool_)
        for place, run_id in enumerate(ids):
            key = (namespace, run_id)
            if key not in before.runs and key not in changed.runs:
                continue
            kept[place] = False
            writer = (*key, frame.writer_id)
            if writer in before.writers or writer in changed.writers:
                self._out.duplicates += 1
                continue
            points = sum(place in metric.rows if metric.rows else True for metric in runs.metrics)
            text = (
                "the run was there before an import that holds it too, and stays as it is; import it under another id"
            )
            self._problem(decoded, frame, run_id, place, "RUN_EXISTS", text, points)
        return kept

    def _take(self, decoded: Decoded, frame: frame_pb2.Frame, runs: event_pb2.RunsImported, kept: Mask) -> None:
        namespace, out = decoded.namespace, self._out
        self._found.add(namespace, decoded.record.offset, runs, kept)
        ids = ids_of(runs)[kept]
        out.changes.runs.update(dict.fromkeys([(namespace, run_id) for run_id in ids.tolist()], _THERE))
        applied = SequenceSet(_ONE)
        out.changes.writers.update(
            dict.fromkeys([(namespace, run_id, frame.writer_id) for run_id in ids.tolist()], applied)
        )
        self._writers += [frame.writer_id] * len(ids)
        self._follow(namespace, runs.experiment_id, ids, np.array(runs.start_times_millis)[kept])

    def _follow(self, namespace: str, experiment: int, ids: npt.NDArray[np.void], starts: I64) -> None:
        """What followers.run_skews tells."""
        made = (np.frombuffer(ids.tobytes(), dtype=">u8")[::2] >> np.uint64(16)).astype(np.int64)
        ahead, home = starts - made, (namespace, experiment)
        most_ahead, most_behind = int(ahead.max()), int((-ahead).max())
        before = self._skews.get(home, (most_ahead, most_behind))
        self._skews[home] = max(before[0], most_ahead), max(before[1], most_behind)

    def _problem(
        self,
        decoded: Decoded,
        frame: frame_pb2.Frame,
        run_id: bytes,
        place: int,
        reason: str,
        message: str,
        points: int,
    ) -> None:
        about = (decoded.namespace, run_id, self._partition, decoded.record.offset, place, frame.writer_id, 1)
        self._problems.append((*about, reason, message, points, frame.ingest_time_millis))

    def _finish(self) -> Folded:
        tables: dict[str, Columns] = {}
        if self._problems:
            tables["problems"] = columns_of("problems", self._problems)
        if self._found.runs:
            self._rows_of_runs(tables)
        follow(tables, tables.get("runs"))
        self._out.tables = {table: tables[table] for table in EVENT_TABLES if table in tables}
        self._out.points = self._found.points
        return self._out

    def _rows_of_runs(self, tables: dict[str, Columns]) -> None:
        found, of = self._found, RunColumns.of(self._found)
        tables["run_homes"] = {
            "namespace": of.namespaces,
            "run_id": of.ids,
            "experiment": of.experiments.astype(np.uint32),
        }
        until = np.full(found.runs, self._next_offset, dtype=np.uint64)
        tables["run_touches"] = {**tables["run_homes"], "until": until}
        attrs, points = attr_columns(found, of), points_of(found, of)
        if points is not None:
            tables["points"] = points.columns(self._partition)
            tables["series"], latest, tables["rollup"] = summarize(points)
            attrs = latest if attrs is None else stack(attrs, latest)
        if attrs is not None:
            tables["attrs"] = attrs
        tables["runs"] = run_columns(found, of)
        tables["run_skews"] = columns_of("run_skews", [(*home, *bound) for home, bound in self._skews.items()])
        tables["writers"] = {
            "namespace": of.namespaces,
            "run_id": of.ids,
            "writer_id": np.frombuffer(b"".join(self._writers), dtype="V16"),
            "rank": np.full(found.runs, NOBODY, dtype=np.int32),
            "ranges": ["1-1"] * found.runs,
            "next_offset": until,
            "request": np.zeros(found.runs, dtype=np.uint64),
            "at_work": np.zeros(found.runs, dtype=np.uint64),
        }
