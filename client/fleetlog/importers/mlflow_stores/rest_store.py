"""A server of MLflow, by its REST: what its own client reads, of whatever store is behind it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fleetlog.importers.mlflow_stores.rest_calls import PAGE, Refused, RestCalls
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
from fleetlog.importers.source_models import SourceLoggedModel, SourceModel, SourceVersion

HISTORY_PAGE = 25_000
"""Maximum of points that a server gives at once."""


class MlflowServer:
    """Reads a server. SourceError: it does not answer, or is none of MLflow."""

    kind = "mlflow"

    def __init__(self, uri: str) -> None:
        self._calls = RestCalls(uri)
        self._unread: list[Unread] = []
        try:
            self._experiments = list(
                self._calls.pages("experiments/search", "experiments", posts=True, max_results=PAGE, view_type="ALL")
            )
        except Refused as error:
            raise SourceError(f"{self._calls.base} does not answer as MLflow's server does: {error}") from None

    def experiments(self) -> Iterator[SourceExperiment]:
        """Yields the experiments, deleted ones too."""
        for one in self._experiments:
            yield SourceExperiment(one["name"], _texts(one.get("tags")), one.get("lifecycle_stage") == "deleted")

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Yields the runs by experiment, and in it by start; parents first."""
        for experiment in self._experiments:
            found = self._calls.pages(
                "runs/search", "runs", posts=True, experiment_ids=[experiment["experiment_id"]], run_view_type="ALL",
                max_results=PAGE, order_by=["attributes.start_time ASC"],
            )  # fmt: skip
            runs = [self._run(one, experiment) for one in found if since is None or _changed_since(one, since)]
            yield from origins_first(runs, lambda run: run.id, lambda run: (run.parent or "",))

    def unread(self) -> Sequence[Unread]:
        """Returns what has been left out so far."""
        return list(dict.fromkeys(self._unread))

    def logged_models(self) -> Iterator[SourceLoggedModel]:
        """Yields logged models by experiment; none where the server knows no such thing."""
        for experiment in self._experiments:
            try:
                yield from (
                    self._logged_model(one, experiment["name"])
                    for one in self._calls.pages(
                        "logged-models/search", "models", posts=True, max_results=50,
                        experiment_ids=[experiment["experiment_id"]],
                    )
                )  # fmt: skip
            except Refused:
                # Versions of MLflow before 3 have none.
                return

    def registered_models(self) -> Iterator[SourceModel]:
        """Yields registered models by name."""
        try:
            for one in self._calls.pages("registered-models/search", "registered_models", max_results=100):
                name = one["name"]
                asked = name.replace("'", "''")
                versions = self._calls.pages(
                    "model-versions/search", "model_versions", max_results=PAGE, filter=f"name='{asked}'"
                )
                yield SourceModel(
                    name, one.get("description") or "", _texts(one.get("tags")),
                    {alias["alias"]: int(alias["version"]) for alias in one.get("aliases") or ()},
                    sorted(map(_version, versions), key=lambda version: version.number),
                )  # fmt: skip
        except Refused as error:
            self._unread.append(Unread("registered models", str(error)))

    def _run(self, found: Mapping[str, Any], experiment: Mapping[str, Any]) -> SourceRun:
        info, data = found["info"], found.get("data") or {}
        inputs, outputs = found.get("inputs") or {}, found.get("outputs") or {}
        run_id, tags = str(info.get("run_id") or info.get("run_uuid")), _texts(data.get("tags"))
        keys = [str(metric["key"]) for metric in data.get("metrics") or ()]
        return SourceRun(
            id=run_id,
            experiment=experiment["name"],
            name=tags.get(RUN_NAME) or info.get("run_name") or "",
            user=info.get("user_id") or tags.get(USER, ""),
            state=state_of(info.get("status")),
            start_time=_whole(info.get("start_time")),
            end_time=_whole(info.get("end_time")) or None,
            parent=tags.get(PARENT),
            deleted="deleted" in (info.get("lifecycle_stage"), experiment.get("lifecycle_stage")),
            params=_texts(data.get("params")),
            tags=with_info(tags, info),
            datasets=[_dataset(one) for one in inputs.get("dataset_inputs") or ()],
            input_models=[one["model_id"] for one in inputs.get("model_inputs") or ()],
            output_models=[(one["model_id"], int(one.get("step") or 0)) for one in outputs.get("model_outputs") or ()],
            points=lambda: self._points(run_id, keys),
            files=lambda: self._files(run_id, ""),
        )

    def _points(self, run_id: str, keys: Sequence[str]) -> Iterator[Points]:
        for key in keys:
            batch: list[Mapping[str, Any]] = []
            try:
                for metric in self._calls.pages(
                    "metrics/get-history", "metrics", run_id=run_id, metric_key=key, max_results=HISTORY_PAGE
                ):
                    batch.append(metric)
                    if len(batch) == HISTORY_PAGE:
                        yield _points(key, batch)
                        batch = []
            except Refused as error:
                self._unread.append(Unread(f"run {run_id}, metric {key}", str(error)))
            if batch:
                yield _points(key, batch)

    def _files(self, run_id: str, folder: str) -> Iterator[SourceFile]:
        try:
            for file in self._calls.pages("artifacts/list", "files", run_id=run_id, path=folder):
                path = str(file["path"])
                if file.get("is_dir"):
                    yield from self._files(run_id, path)
                else:
                    opened = partial(self._calls.open, "/get-artifact", run_uuid=run_id, path=path)
                    yield SourceFile(path, opened, _whole(file.get("file_size")))
        except Refused as error:
            self._unread.append(Unread(f"run {run_id}, files in {folder or 'its folder'}", str(error)))

    def _logged_model(self, found: Mapping[str, Any], experiment: str) -> SourceLoggedModel:
        info, data = found["info"], found.get("data") or {}
        model_id = str(info["model_id"])
        if metrics := data.get("metrics"):
            why = "metrics that name the model come as those of its runs alone"
            self._unread.append(Unread(f"logged model {model_id}", why, count=len(metrics), is_fault=False))
        return SourceLoggedModel(
            id=model_id,
            experiment=experiment,
            name=info.get("name") or "",
            run=info.get("source_run_id"),
            model_type=info.get("model_type") or "",
            status=str(info.get("status", "")).removeprefix("LOGGED_MODEL_") or "READY",
            status_message=info.get("status_message") or "",
            create_time=_whole(info.get("creation_timestamp_ms")),
            params=_texts(data.get("params")),
            tags=_texts(info.get("tags")),
            files=lambda: self._model_files(model_id, ""),
        )

    def _model_files(self, model_id: str, folder: str) -> Iterator[SourceFile]:
        place = f"logged-models/{model_id}/artifacts"
        try:
            for file in self._calls.pages(f"{place}/directories", "files", artifact_directory_path=folder):
                path = str(file["path"])
                if file.get("is_dir"):
                    yield from self._model_files(model_id, path)
                else:
                    whole = f"/ajax-api/2.0/mlflow/{place}/files"
                    opened = partial(self._calls.open, whole, artifact_file_path=path)
                    yield SourceFile(path, opened, _whole(file.get("file_size")))
        except Refused as error:
            self._unread.append(Unread(f"logged model {model_id}, files", str(error)))


def _points(key: str, metrics: Sequence[Mapping[str, Any]]) -> Points:
    values = np.array([float(one.get("value", 0)) for one in metrics], dtype=np.float64)
    # A store in a database has the largest doubles for infinities.
    values[values >= sys.float_info.max], values[values <= -sys.float_info.max] = np.inf, -np.inf
    return Points(
        key,
        np.array([int(one.get("step") or 0) for one in metrics], dtype=np.int64),
        values,
        np.array([int(one.get("timestamp") or 0) for one in metrics], dtype=np.int64),
    )


def _dataset(found: Mapping[str, Any]) -> SourceDataset:
    dataset, tags = found["dataset"], _texts(found.get("tags"))
    return SourceDataset(
        dataset.get("name") or "", dataset.get("digest") or "", dataset.get("source_type") or "",
        dataset.get("source") or "", tags.get(DATASET_CONTEXT, ""), dataset.get("schema") or "",
        dataset.get("profile") or "", {key: text for key, text in tags.items() if key != DATASET_CONTEXT},
    )  # fmt: skip


def _version(found: Mapping[str, Any]) -> SourceVersion:
    return SourceVersion(
        number=int(found["version"]), source=found.get("source") or "", run=found.get("run_id") or None,
        run_link=found.get("run_link") or "", logged_model=found.get("model_id") or "",
        stage=found.get("current_stage") or "None", description=found.get("description") or "",
        user=found.get("user_id") or "", tags=_texts(found.get("tags")),
    )  # fmt: skip


def _changed_since(run: Mapping[str, Any], since: int) -> bool:
    info = run["info"]
    end = _whole(info.get("end_time"))
    return not end or end >= since or (_whole(info.get("start_time")) or 0) >= since


def _texts(pairs: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {str(pair["key"]): str(pair.get("value") or "") for pair in pairs or ()}


def _whole(value: object) -> int | None:
    return None if value is None or value == "" else int(str(value))
