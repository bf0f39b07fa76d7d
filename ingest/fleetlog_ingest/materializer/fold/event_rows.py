"""The rows of a batch of events, while they are gathered."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.warehouse.schema import PLACE_BITS
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.artifact_rows import artifact_row, deleted_row, logged_row
from fleetlog_ingest.materializer.fold.attrs import AttrSink
from fleetlog_ingest.materializer.fold.branches import ALONE, branch_columns
from fleetlog_ingest.materializer.fold.derived_tables import follow, run_skews
from fleetlog_ingest.materializer.fold.inherited import InheritedSink
from fleetlog_ingest.materializer.fold.model_rows import ModelMetricSink, model_row, param_rows, tag_rows
from fleetlog_ingest.materializer.fold.params import Values
from fleetlog_ingest.materializer.fold.points import PointSink
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey, State, WriterKey
from fleetlog_ingest.materializer.fold.summaries import summarize
from fleetlog_ingest.materializer.fold.tables import EVENT_TABLES, Columns, Row, columns_of, stack


class EventRows:
    """The rows by table. Used once."""

    def __init__(self, partition: int, next_offset: int) -> None:
        self._partition = partition
        self._next_offset = next_offset
        self._rows: dict[str, list[Row]] = {table: [] for table in EVENT_TABLES}
        self._attrs = AttrSink()
        self._points = PointSink()
        self._inherited = InheritedSink()
        self._model_metrics = ModelMetricSink()
        self._states: dict[tuple[RunKey, int], Run] = {}
        self._wrote: dict[WriterKey, tuple[int, int]] = {}
        self._touched: dict[RunKey, None] = {}

    def touch(self, key: RunKey) -> None:
        """There is an event of the run."""
        self._touched[key] = None

    def wrote(self, writer: WriterKey, rank: int, request: int) -> None:
        """An event of the writer was applied. `request`: see Frame.request_digest."""
        self._wrote[writer] = rank, request

    def run(self, key: RunKey, run: Run, *, new: bool) -> None:
        """The run is like this now. `new`: it was not there before."""
        if new:
            self._rows["run_homes"].append((*key, run.experiment))
        # Each state is a row, for those who ask what was; within a record the last one counts.
        self._states[(key, run.ver)] = run

    def attrs(self, key: RunKey, run: Run, kind: int, ver: int, values: Values, *, removed: bool) -> None:
        """Params, tags or datasets of the run, the first of them at `ver`."""
        self._attrs.add(*key, run.experiment, kind, ver, values, removed=removed)

    def points(
        self, key: RunKey, run: Run, rank: int, offset: int, event: event_pb2.MetricsLogged, time_millis: int
    ) -> bool:
        """Points of the run; False when the columns are not of one length, and none was taken."""
        return self._points.add(*key, run.experiment, rank, offset, event, time_millis)

    def segments(self, key: RunKey, segments: Sequence[event_pb2.Segment], offset: int) -> None:
        """Points of other runs that the run has."""
        made = (self._partition, offset)
        rows = [(*key, one.run_id, one.step, one.next_offset, *made) for one in segments]
        self._rows["branch_segments"] += rows

    def inherited(self, key: RunKey, run: Run, offset: int, series: Sequence[event_pb2.InheritedSeries]) -> None:
        """What the run knows of those points."""
        self._inherited.add(key, run.experiment, offset, series)

    def artifact(self, key: RunKey, event: event_pb2.ArtifactLogged, time_millis: int, ver: int) -> None:
        """An artifact of the run that is stored."""
        row = artifact_row(key, event.path, event.size_bytes, event.sha256.hex(), time_millis, ver)
        self._rows["artifacts"].append(row)
        self._rows["artifact_history"].append(logged_row(row))

    def pending_artifact(
        self, key: RunKey, event: event_pb2.ArtifactLogged, time_millis: int, ver: int, sender: tuple[bytes, int],
        reason: str,
    ) -> None:  # fmt: skip
        """An artifact of the run that the store can't take or look for now. `sender`: writer id and sequence."""
        where = (self._partition, ver >> PLACE_BITS, ver)
        what = (event.path, event.size_bytes, event.sha256.hex())
        self._rows["pending_artifacts"].append((*key, *where, *what, *sender, reason, time_millis, 0))

    def artifacts_deleted(self, key: RunKey, path: str, ver: int) -> None:
        """Files of the path and below it are gone."""
        self._rows["artifact_deletions"].append((*key, path, ver))
        self._rows["artifact_history"].append(deleted_row(key, path, ver))

    def model_params(self, key: RunKey, texts: Sequence[tuple[str, str]], ver: int) -> None:
        """Params of a logged model, the first of them at `ver`."""
        self._rows["model_attrs"] += param_rows(key, texts, ver)

    def model_tags(
        self, key: RunKey, texts: Sequence[tuple[str, str]], ver: int, *, removed: bool = False
    ) -> None:  # fmt: skip
        """Tags of a logged model, the first of them at `ver`."""
        self._rows["model_attrs"] += tag_rows(key, texts, ver, removed=removed)

    def model_metrics(
        self, key: RunKey, event: event_pb2.MetricsLogged, offset: int, place: int, time_millis: int
    ) -> int:
        """Points of a run that name a logged model; how many. `place`: points of the record before them."""
        return self._model_metrics.add(key, event, offset, place, time_millis)

    def problem(self, key: RunKey, row: Row) -> None:
        """What went wrong with an event of the run: the columns of `problems` from the offset on."""
        self._rows["problems"].append((*key, self._partition, *row))

    def finish(self, before: State, changes: State) -> dict[str, Columns]:
        """All the rows, in the order to insert them."""
        rows = self._rows
        for key in self._touched:
            touched = changes.runs.get(key) or before.runs.get(key)
            if touched is not None:
                rows["run_touches"].append((key[0], touched.experiment, key[1], self._next_offset))
        rows["runs"] = [_row_of(key, run) for key, run in changes.runs.items()]
        states = [_row_of(key, run) for (key, _), run in self._states.items()]
        rows["run_skews"] = run_skews((key, run) for (key, _), run in self._states.items())
        rows["logged_models"] = [model_row(key, model) for key, model in changes.models.items()]
        for writer, applied in changes.writers.items():
            rank, request = self._wrote[writer]
            work = changes.work.get(writer) or before.work.get(writer)
            since = 0 if work is None else work.since
            rows["writers"].append((*writer, rank, applied.text(), self._next_offset, request, since))
        tables = {table: columns_of(table, found) for table, found in rows.items() if found}
        attrs = self._attrs.finish()
        if attrs is not None:
            tables["attrs"] = attrs
        points = self._points.finish()
        if points is not None:
            tables["points"] = points.columns(self._partition)
            tables["series"], latest, tables["rollup"] = summarize(points)
            tables["attrs"] = latest if attrs is None else stack(latest, attrs)
        inherited = self._inherited.finish()
        if inherited is not None:
            for table, columns in zip(("series", "attrs"), inherited, strict=True):
                tables[table] = stack(columns, tables[table]) if table in tables else columns
        measured = self._model_metrics.finish()
        if measured is not None:
            tables["model_metrics"] = measured
        every = columns_of("runs", states) if states else None
        if every is not None and any(run.branch is not ALONE for run in self._states.values()):
            # In other batches they are what the tables take for columns that are not there.
            tables["runs"] |= branch_columns([run.branch for run in changes.runs.values()])
            every |= branch_columns([run.branch for run in self._states.values()])
        follow(tables, every)
        return {table: tables[table] for table in EVENT_TABLES if table in tables}


def _row_of(key: RunKey, run: Run) -> Row:
    namespace, run_id = key
    times = (run.start_time, run.end_time, run.parent_run_id)
    state = (run.name, run.user, run.state, *times, run.visibility, int(run.started), run.ver, run.delete_time)
    endings = "" if run.endings is None else run.endings.text()
    return (namespace, run.experiment, run_id, *state, endings)
