"""MLflow's artifact repository over fleetlog: files of runs and logged models, verified by SHA-256 on both ways."""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleetlog_proto.v1 import event_pb2
from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path

from fleetlog._files.artifacts import artifact_event
from fleetlog._files.trees import TreeFile, walk
from fleetlog._views.artifacts import Artifact
from fleetlog.client import Client
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.run_writers import RunWriters, writers_of
from fleetlog.mlflow_plugin.uris import SCHEME, Place, artifact_root, place_of


class FleetlogArtifactRepository(ArtifactRepository):
    """Files below a fleetlog-artifacts URI."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None, **others: Any
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        with translated():
            self._root = artifact_root(artifact_uri)
            self._place = self._root.place or _tracked(tracking_uri)

    @property
    def _writers(self) -> RunWriters:
        return writers_of(self._place)

    @property
    def _client(self) -> Client:
        return Client(self._place.target, self._place.namespace)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Keep a file, under its own name in a folder. MlflowException, OSError."""
        verify_artifact_path(artifact_path)
        self._keep(Path(local_file), posixpath.join(artifact_path or "", Path(local_file).name))
        self._writers.flush()

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Keep every file below a folder. MlflowException, OSError."""
        verify_artifact_path(artifact_path)
        for found in walk(Path(local_dir)):
            if not isinstance(found, TreeFile):
                raise OSError(f"{found.name} can't be kept: {found.why}")
            self._keep(found.path, posixpath.join(artifact_path or "", found.name))
        self._writers.flush()

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Returns files and folders right below a path; nothing for a file."""
        with translated():
            run_id, inner = self._root.owner(posixpath.normpath(path) if path and path != "." else "")
        outer = posixpath.normpath(path) if path else ""
        found: dict[str, FileInfo] = {}
        for artifact in self._listed(run_id, inner):
            rest = artifact.path[len(inner) :].lstrip("/") if inner else artifact.path
            name, _, below = rest.partition("/")
            if name:
                shown = posixpath.join(outer, name) if outer and outer != "." else name
                found.setdefault(shown, FileInfo(shown, bool(below), None if below else artifact.size_bytes))
        return [found[name] for name in sorted(found)]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with translated():
            run_id, inner = self._root.owner(remote_file_path)
            self._writers.flush()
            self._writers.position()
            # What it is to be called may be the name of a folder elsewhere.
            Path(local_path).parent.mkdir(parents=True, exist_ok=True)
            self._client.download_artifact(run_id, inner, os.fspath(local_path))

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file, or all below a folder; without a path everything. Durable."""
        with translated():
            owner, inner = self._root.owner(artifact_path or "")
            writers = self._writers
            writers.tell(writers.author(owner), artifacts_deleted=event_pb2.ArtifactsDeleted(path=inner))
        writers.flush()

    def _listed(self, run_id: str, inner: str) -> Iterator[Artifact]:
        self._writers.flush()
        self._writers.position()
        with translated():
            yield from self._client.list_artifacts(run_id, inner)

    def _keep(self, path: Path, name: str) -> None:
        with translated():
            owner, inner = self._root.owner(name)
            writers = self._writers
            author = writers.author(owner)
            now = time.time_ns() // 1_000_000
            event = artifact_event(writers.connection, author, path, inner, now)
            writers.tell(author, artifact_logged=event.artifact_logged)
            if writers.delivery.outbox.full:
                writers.flush()


def _tracked(tracking_uri: str | None) -> Place:
    """The place of a tracking URI; of MLflow's own when none is given."""
    if tracking_uri is None or not tracking_uri.startswith(f"{SCHEME}:"):
        from mlflow.tracking import get_tracking_uri

        tracking_uri = get_tracking_uri()
    return place_of(tracking_uri)
