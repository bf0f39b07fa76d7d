"""Where MLflow keeps files: folders of this machine, S3, and for all else a copy of them in a folder that is named.

A store that was moved names folders that are not there any more: then what lies in its own place counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from fleetlog.importers.mlflow_stores.buckets import SCHEME, Buckets, Unreachable
from fleetlog.importers.source import SourceFile, Unread

_FOLDER_SCHEMES = ("", "file")
_SERVED = "mlflow-artifacts"


class ArtifactPlaces:
    """Finds the files behind URIs.

    Args:
        root: Copy of all that no folder here has, which is asked before the network; None = there is none.
        unread: Takes what can't be found.
        served: Folder that `mlflow server` keeps files in, unless `root` is given.
    """

    def __init__(self, root: Path | None, unread: list[Unread], served: Path | None = None) -> None:
        self._root = root
        self._served = served
        self._buckets = Buckets()
        self._unread = unread
        self._told: set[str] = set()

    def files(self, uri: str, usual: Path | None, where: str) -> Iterator[SourceFile]:
        """Yields the files of a URI. `usual`: where they are, when the URI names no folder that is there."""
        folder = self._folder(uri, usual)
        if folder is not None:
            yield from _files(folder, "")
        elif urlsplit(uri).scheme == SCHEME:
            try:
                yield from self._buckets.files(uri)
            except Unreachable as error:
                self._tell(uri, where, f"{error}; or copy them (such as by `aws s3 sync`)")
        else:
            self._tell(uri, where, "which is no folder here: copy them")

    def _tell(self, uri: str, where: str, why: str) -> None:
        if uri not in self._told:
            self._told.add(uri)
            self._unread.append(Unread(where, f"its files are at {uri}, {why} and name the copy by --artifacts"))

    def _folder(self, uri: str, usual: Path | None) -> Path | None:
        parts = urlsplit(uri)
        if parts.scheme in _FOLDER_SCHEMES or len(parts.scheme) == 1:
            named = Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else Path(uri)
            if uri and named.is_dir():
                return named
            # MLflow makes the folder with the first file.
            return usual if usual is not None else named
        root = self._root or (self._served if parts.scheme == _SERVED else None)
        if root is not None:
            return root / unquote(parts.path).lstrip("/")
        return usual if usual is not None and usual.is_dir() else None


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def _files(folder: Path, prefix: str) -> Iterator[SourceFile]:
    try:
        listed = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in listed:
        if path.is_dir():
            yield from _files(path, f"{prefix}{path.name}/")
        else:
            yield SourceFile(f"{prefix}{path.name}", partial(_opened, path), None, path)
