"""Models in MLflow's file store: logged ones below their experiments, registered ones in the folder `models`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleetlog.importers.mlflow_stores.file_store import TRASH, MlflowFileStore
from fleetlog.importers.mlflow_stores.meta_files import MetaError, number, read_meta
from fleetlog.importers.mlflow_stores.run_folders import files_below, read_text_files
from fleetlog.importers.source import SourceFile, Unread
from fleetlog.importers.source_models import SourceLoggedModel, SourceModel, SourceVersion

MODELS = "models"
_VERSION = re.compile(r"version-(\d+)")
_STATUSES = {"1": "PENDING", "2": "READY", "3": "FAILED"}


class MlflowFolder(MlflowFileStore):
    """A file store with its models."""

    def logged_models(self) -> Iterator[SourceLoggedModel]:
        """Yields logged models by experiment."""
        for experiment, folder in self.experiment_folders():
            for path in _folders(folder / MODELS):
                meta = self._meta(path)
                if meta is not None:
                    yield self._logged_model(path, meta, experiment)

    def registered_models(self) -> Iterator[SourceModel]:
        """Yields registered models by name."""
        for path in _folders(self.folder / MODELS):
            meta = self._meta(path)
            if meta is None:
                continue
            unread: list[Unread] = []
            aliases = {
                alias: int(text) for alias, text in read_text_files(path / "aliases", unread).items() if text.isdigit()
            }
            tags = read_text_files(path / "tags", unread)
            versions = [version for folder in _folders(path) if (version := self._version(folder)) is not None]
            for one in unread:
                self.leave_out(one)
            yield SourceModel(
                meta.get("name") or path.name, meta.get("description") or "", tags, aliases,
                sorted(versions, key=lambda version: version.number),
            )  # fmt: skip

    def _logged_model(self, path: Path, meta: Mapping[str, Any], experiment: str) -> SourceLoggedModel:
        unread: list[Unread] = []
        tags, params = read_text_files(path / "tags", unread), read_text_files(path / "params", unread)
        if metrics := sum(1 for _ in files_below(path / "metrics")):
            why = "metrics that name the model come as those of its runs alone"
            unread.append(Unread(f"logged model {path.name}", why, count=metrics, is_fault=False))
        for one in unread:
            self.leave_out(one)

        def files() -> Iterator[SourceFile]:
            return self.artifacts.files(str(meta.get("artifact_location") or ""), path / "artifacts", str(path))

        return SourceLoggedModel(
            id=meta.get("model_id") or path.name,
            experiment=experiment,
            name=meta.get("name") or "",
            run=meta.get("source_run_id"),
            model_type=meta.get("model_type") or "",
            status=_STATUSES.get(str(meta.get("status")), "READY"),
            status_message=meta.get("status_message") or "",
            create_time=self._number(path, meta, "creation_timestamp"),
            deleted=meta.get("lifecycle_stage") == "deleted",
            params=params,
            tags=tags,
            files=files,
        )

    def _version(self, path: Path) -> SourceVersion | None:
        found = _VERSION.fullmatch(path.name)
        meta = self._meta(path) if found is not None else None
        if found is None or meta is None or meta.get("current_stage") == "Deleted_Internal":
            return None
        unread: list[Unread] = []
        tags = read_text_files(path / "tags", unread)
        for one in unread:
            self.leave_out(one)
        return SourceVersion(
            number=int(found[1]),
            source=meta.get("storage_location") or meta.get("source") or "",
            run=meta.get("run_id"),
            run_link=meta.get("run_link") or "",
            logged_model=meta.get("model_id") or "",
            stage=meta.get("current_stage") or "None",
            description=meta.get("description") or "",
            user=meta.get("user_id") or "",
            tags=tags,
        )

    def _meta(self, path: Path) -> dict[str, Any] | None:
        try:
            return read_meta(path / "meta.yaml")
        except (MetaError, OSError) as error:
            offset = error.offset if isinstance(error, MetaError) else None
            self.leave_out(Unread(str(path / "meta.yaml"), str(error), offset))
            return None

    def _number(self, path: Path, meta: Mapping[str, Any], field: str) -> int | None:
        try:
            return number(meta, field)
        except MetaError as error:
            self.leave_out(Unread(str(path / "meta.yaml"), str(error), is_fault=False))
            return None


def _folders(folder: Path) -> list[Path]:
    """Folders with a meta.yaml, by name; none when there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name != TRASH and (path / "meta.yaml").exists())
