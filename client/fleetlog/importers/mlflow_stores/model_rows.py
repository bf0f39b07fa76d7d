"""Models in MLflow's database: logged ones, and registered ones with their versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from fleetlog.importers.mlflow_stores.database_store import MlflowDatabaseStore
from fleetlog.importers.source import SourceFile, Unread
from fleetlog.importers.source_models import SourceLoggedModel, SourceModel, SourceVersion

_STATUSES = {0: "READY", 1: "PENDING", 2: "READY", 3: "FAILED"}
_LOGGED = (
    "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms", "status", "lifecycle_stage",
    "model_type", "source_run_id", "status_message",
)  # fmt: skip
_VERSION = (
    "name", "version", "description", "user_id", "current_stage", "source", "storage_location", "run_id", "run_link",
)  # fmt: skip
_DELETED = "Deleted_Internal"
_DEFAULT = "default"
"""The workspace that every model is in, where nobody made others."""


class MlflowDatabase(MlflowDatabaseStore):
    """A database with its models."""

    def logged_models(self) -> Iterator[SourceLoggedModel]:
        """Yields logged models by experiment."""
        tags, params = self._of_models("tag"), self._of_models("param")
        measured = self.select("logged_model_metrics", ("model_id",))
        if count := sum(1 for _ in measured):
            why = "metrics that name a logged model come as those of its runs alone"
            self.leave_out(Unread("logged_model_metrics", why, count=count, is_fault=False))
        for row in self.select("logged_models", _LOGGED, "ORDER BY experiment_id, creation_timestamp_ms, model_id"):
            yield self._logged_model(row, tags[row["model_id"]], params[row["model_id"]])

    def registered_models(self) -> Iterator[SourceModel]:
        """Yields registered models by name."""
        tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
        aliases: defaultdict[str, dict[str, int]] = defaultdict(dict)
        own: defaultdict[tuple[str, int], dict[str, str]] = defaultdict(dict)
        versions: defaultdict[str, list[SourceVersion]] = defaultdict(list)
        for row in self.select("registered_model_tags", ("name", "key", "value")):
            tags[row["name"]][row["key"]] = row["value"] or ""
        for row in self.select("registered_model_aliases", ("name", "alias", "version")):
            aliases[row["name"]][row["alias"]] = int(row["version"])
        for row in self.select("model_version_tags", ("name", "version", "key", "value")):
            own[row["name"], row["version"]][row["key"]] = row["value"] or ""
        for row in self.select("model_versions", _VERSION, "ORDER BY name, version"):
            if row.get("current_stage") != _DELETED:
                versions[row["name"]].append(_version(row, own[row["name"], row["version"]]))
        for row in self.select("registered_models", ("name", "description", "workspace"), "ORDER BY name"):
            name, workspace = row["name"], row.get("workspace") or _DEFAULT
            if workspace != _DEFAULT:
                why = f"it is in the workspace {workspace}: only models of the workspace default come"
                self.leave_out(Unread(f"registered model {name}", why))
                continue
            yield SourceModel(name, row.get("description") or "", tags[name], aliases[name], versions[name])

    def _of_models(self, what: str) -> defaultdict[str, dict[str, str]]:
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for row in self.select(f"logged_model_{what}s", ("model_id", f"{what}_key", f"{what}_value")):
            found[row["model_id"]][row[f"{what}_key"]] = row[f"{what}_value"] or ""
        return found

    def _logged_model(self, row: dict[str, Any], tags: dict[str, str], params: dict[str, str]) -> SourceLoggedModel:
        uri, where = row.get("artifact_location") or "", f"logged model {row['model_id']}"

        def files() -> Iterator[SourceFile]:
            return self.artifacts.files(uri, None, where) if uri else iter(())

        return SourceLoggedModel(
            id=row["model_id"],
            experiment=self.experiment_name(row["experiment_id"]),
            name=row.get("name") or "",
            run=row.get("source_run_id"),
            model_type=row.get("model_type") or "",
            status=_STATUSES.get(row.get("status") or 0, "READY"),
            status_message=row.get("status_message") or "",
            create_time=row.get("creation_timestamp_ms"),
            deleted=row.get("lifecycle_stage") == "deleted",
            params=params,
            tags=tags,
            files=files,
        )


def _version(row: dict[str, Any], tags: dict[str, str]) -> SourceVersion:
    return SourceVersion(
        number=int(row["version"]),
        source=row.get("storage_location") or row.get("source") or "",
        run=row.get("run_id"),
        run_link=row.get("run_link") or "",
        stage=row.get("current_stage") or "None",
        description=row.get("description") or "",
        user=row.get("user_id") or "",
        tags=tags,
    )
