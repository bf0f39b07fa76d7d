"""MLflow's histories: a folder mlruns, a database, or a server by its REST."""

from __future__ import annotations

from pathlib import Path

from fleetlog.importers.mlflow_stores.artifact_places import ArtifactPlaces
from fleetlog.importers.mlflow_stores.databases import open_database
from fleetlog.importers.mlflow_stores.model_folders import MlflowFolder
from fleetlog.importers.mlflow_stores.model_rows import MlflowDatabase
from fleetlog.importers.mlflow_stores.rest_store import MlflowServer
from fleetlog.importers.mlflow_stores.sqlite_pages import is_sqlite
from fleetlog.importers.source import SourceError, Unread

SERVED = "mlartifacts"
"""Folder in which `mlflow server` keeps files, where no other is named."""
MlflowSource = MlflowFolder | MlflowDatabase | MlflowServer


def open_mlflow(place: str, artifacts: Path | None = None) -> MlflowSource:
    """Returns the source at a place: a folder, a database's file, or a URI (sqlite:///, postgresql://, http://, file:).

    Args:
        place: Path or URI.
        artifacts: Folder in which the files are that the store names by URIs of a server or a bucket; None = S3 is
            asked for its files, and for those of a server the folder mlartifacts beside the store is, if there is one.

    Raises:
        SourceError: It is none of these, or can't be read.

    """
    if place.startswith(("http://", "https://")):
        return MlflowServer(place)
    path = Path(place.removeprefix("file://"))
    if "://" not in place.removeprefix("file://"):
        if path.is_dir():
            return MlflowFolder(path, artifacts, _beside(path))
        if not path.exists():
            raise SourceError(f"{path} is not there; give a folder mlruns, a database's file or a URI")
        if not is_sqlite(path):
            raise SourceError(f"{path} is no database of SQLite; give a folder mlruns, a database's file or a URI")
    unread: list[Unread] = []
    if artifacts is None and place.startswith("sqlite:///"):
        path = Path(place.removeprefix("sqlite:///"))
    return MlflowDatabase(open_database(place), ArtifactPlaces(artifacts, unread, _beside(path)), unread)


def _beside(path: Path) -> Path | None:
    found = path.absolute().parent / SERVED
    return found if found.is_dir() else None
