"""MLflow's store in a database: experiments and runs, of every version of its schema."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetlog.importers.mlflow_stores.artifact_places import ArtifactPlaces
from fleetlog.importers.mlflow_stores.databases import Database
from fleetlog.importers.mlflow_stores.metric_pages import MetricColumns
from fleetlog.importers.mlflow_stores.metric_rows import is_point, points_of, points_of_columns
from fleetlog.importers.mlflow_stores.words import DATASET_CONTEXT, PARENT, RUN_NAME, USER, state_of, with_info
from fleetlog.importers.run_order import origins_first
from fleetlog.importers.source import (
    Points,
    SourceDataset,
    SourceError,
    SourceExperiment,
    SourceFile,
    SourceRun,
    Unread,
)

RUNS_AT_ONCE = 500
_RUN_FIELDS = (
    "run_uuid", "name", "source_name", "source_version", "entry_point_name", "user_id", "status", "start_time",
    "end_time", "lifecycle_stage", "artifact_uri", "experiment_id",
)  # fmt: skip
_DATASET_FIELDS = ("name", "digest", "dataset_source_type", "dataset_source", "dataset_schema", "dataset_profile")


@dataclass(frozen=True, slots=True)
class _Experiment:
    name: str
    deleted: bool


class MlflowDatabaseStore:
    """Reads a database of MLflow. SourceError: it is none."""

    kind = "mlflow"

    def __init__(self, database: Database, artifacts: ArtifactPlaces, unread: list[Unread]) -> None:
        self.database = database
        self.artifacts = artifacts
        self._unread = unread
        if not {"run_uuid", "experiment_id"} <= database.columns("runs"):
            raise SourceError(f"{database.name} is no database of MLflow: it has no table of runs")
        self._experiments = self._found()

    def experiments(self) -> Iterator[SourceExperiment]:
        """Yields the experiments, deleted ones too."""
        tags: defaultdict[int, dict[str, str]] = defaultdict(dict)
        if self.database.columns("experiment_tags"):
            for number, key, text in self.database.rows("SELECT experiment_id, key, value FROM experiment_tags"):
                tags[number][key] = text or ""
        for number, one in self._experiments.items():
            yield SourceExperiment(one.name, tags[number], one.deleted)

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Yields the runs by experiment, and in it by start; parents first."""
        statement, values = "SELECT run_uuid, experiment_id, start_time FROM runs", list[object]()
        if since is not None:
            # A run that has not ended may have changed.
            statement += " WHERE start_time >= ? OR end_time IS NULL OR end_time >= ? OR end_time = 0"
            values = [since, since]
        found = sorted(self.database.rows(statement, values), key=lambda row: (row[1], row[2] or 0, row[0]))
        parents = dict(self.database.rows("SELECT run_uuid, value FROM tags WHERE key = ?", [PARENT]))
        ordered = origins_first(found, lambda row: str(row[0]), lambda row: (parents.get(row[0], ""),))
        del found
        for first in range(0, len(ordered), RUNS_AT_ONCE):
            yield from self._read([str(row[0]) for row in ordered[first : first + RUNS_AT_ONCE]])

    def unread(self) -> Sequence[Unread]:
        """Returns what has been left out so far."""
        return list(dict.fromkeys(self._unread))

    def leave_out(self, one: Unread) -> None:
        """Take note of something that does not come."""
        self._unread.append(one)

    def _leave_out_once(self, one: Unread) -> None:
        """Each look at the points finds the same."""
        if one not in self._unread:
            self._unread.append(one)

    def experiment_name(self, number: int) -> str:
        """Returns the name of an experiment."""
        one = self._experiments.get(number)
        return str(number) if one is None else one.name

    def select(
        self, table: str, wanted: Sequence[str], behind: str = "", values: Sequence[object] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yields rows of a table: the wanted columns that it has. Nothing when there is no such table."""
        columns = self.database.columns(table)
        there = [name for name in wanted if name in columns]
        if there:
            for row in self.database.rows(f"SELECT {', '.join(there)} FROM {table} {behind}", values):
                yield dict(zip(there, row, strict=True))

    def _found(self) -> dict[int, _Experiment]:
        rows = self.select("experiments", ("experiment_id", "name", "lifecycle_stage"))
        return {
            row["experiment_id"]: _Experiment(
                row.get("name") or str(row["experiment_id"]), row.get("lifecycle_stage") == "deleted"
            )
            for row in rows
        }

    def _read(self, ids: Sequence[str]) -> Iterator[SourceRun]:
        marks = f"({', '.join('?' * len(ids))})"
        tags = self._texts("tags", marks, ids)
        params = self._texts("params", marks, ids)
        datasets = self._datasets(marks, ids)
        models = self._models(marks, ids)
        infos = {row["run_uuid"]: row for row in self.select("runs", _RUN_FIELDS, f"WHERE run_uuid IN {marks}", ids)}
        for run_id in ids:
            # A run may be deleted for good while its store is read.
            if (info := infos.get(run_id)) is not None:
                yield self._run(info, tags[run_id], params[run_id], datasets[run_id], *models[run_id])

    def _run(
        self, info: Mapping[str, Any], tags: dict[str, str], params: dict[str, str], datasets: list[SourceDataset],
        inputs: list[str], outputs: list[tuple[str, int]],
    ) -> SourceRun:  # fmt: skip
        run_id, experiment = str(info["run_uuid"]), self._experiments.get(info["experiment_id"])
        return SourceRun(
            id=run_id,
            experiment=self.experiment_name(info["experiment_id"]),
            name=tags.get(RUN_NAME) or info.get("name") or "",
            user=info.get("user_id") or tags.get(USER, ""),
            state=state_of(info.get("status")),
            start_time=info.get("start_time"),
            end_time=info.get("end_time") or None,
            parent=tags.get(PARENT),
            deleted=info.get("lifecycle_stage") == "deleted" or (experiment is not None and experiment.deleted),
            params=params,
            tags=with_info(tags, info),
            datasets=datasets,
            input_models=inputs,
            output_models=outputs,
            points=lambda: self._points(run_id),
            files=self._files(str(info.get("artifact_uri") or ""), run_id),
        )

    def _files(self, uri: str, run_id: str) -> Callable[[], Iterator[SourceFile]]:
        return lambda: self.artifacts.files(uri, None, f"run {run_id}") if uri else iter(())

    def _points(self, run_id: str) -> Iterator[Points]:
        columns = self.database.columns("metrics")
        step, is_nan = ("step" if "step" in columns else "0"), ("is_nan" if "is_nan" in columns else "0")
        statement = f"SELECT key, value, timestamp, {step} AS step, {is_nan} FROM metrics WHERE run_uuid = ?"
        for rows in self.database.metrics(statement + self.database.metric_order, run_id):
            if isinstance(rows, MetricColumns):
                yield from points_of_columns(rows)
                continue
            try:
                yield from list(points_of(rows))
            except (TypeError, ValueError, OverflowError):
                right = [row for row in rows if is_point(row)]
                where, why = f"run {run_id}, table metrics", "rows hold no numbers"
                self._leave_out_once(Unread(where, why, count=len(rows) - len(right)))
                yield from points_of(right) if right else ()

    def _texts(self, table: str, marks: str, ids: Sequence[str]) -> Mapping[str, dict[str, str]]:
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        statement = f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN {marks}"
        for run_id, key, text in self.database.rows(statement, ids):
            found[run_id][key] = "" if text is None else text
        return found

    def _datasets(self, marks: str, ids: Sequence[str]) -> Mapping[str, list[SourceDataset]]:
        found: defaultdict[str, list[SourceDataset]] = defaultdict(list)
        if not self.database.columns("datasets") or not self.database.columns("inputs"):
            return found
        tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
        linked = f"i.destination_type = 'RUN' AND i.destination_id IN {marks}"
        statement = (
            f"SELECT t.input_uuid, t.name, t.value FROM input_tags t JOIN inputs i ON i.input_uuid = t.input_uuid"
            f" WHERE {linked}"
        )
        for link, key, text in self.database.rows(statement, ids):
            tags[link][key] = text or ""
        statement = (
            f"SELECT i.destination_id, i.input_uuid, {', '.join(f'd.{name}' for name in _DATASET_FIELDS)}"
            " FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id"
            f" WHERE i.source_type = 'DATASET' AND {linked}"
            " ORDER BY d.name, d.digest, i.input_uuid"
        )
        for run_id, link, name, digest, source_type, source, schema, profile in self.database.rows(statement, ids):
            said = tags[link]
            found[run_id].append(
                SourceDataset(
                    name or "", digest or "", source_type or "", source or "", said.get(DATASET_CONTEXT, ""),
                    schema or "", profile or "", {key: text for key, text in said.items() if key != DATASET_CONTEXT},
                )
            )  # fmt: skip
        return found

    def _models(self, marks: str, ids: Sequence[str]) -> Mapping[str, tuple[list[str], list[tuple[str, int]]]]:
        """Logged models that runs read, and those that they made with their steps."""
        found: defaultdict[str, tuple[list[str], list[tuple[str, int]]]] = defaultdict(lambda: ([], []))
        columns = self.database.columns("inputs")
        if not columns:
            return found
        step = "step" if "step" in columns else "0"
        statement = (
            f"SELECT source_type, source_id, destination_id, {step} FROM inputs"
            f" WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id IN {marks} ORDER BY source_id, input_uuid"
        )
        for kind, run_id, model_id, at in self.database.rows(statement, ids):
            if kind == "RUN_INPUT":
                found[run_id][0].append(model_id)
            else:
                found[run_id][1].append((model_id, at or 0))
        return found
