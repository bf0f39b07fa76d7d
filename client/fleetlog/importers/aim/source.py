"""A repository of Aim as a source of runs. Aim must be installed; it is imported when a repository is opened."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fleetlog.importers.json_values import params_of
from fleetlog.importers.jsonl import json_lines
from fleetlog.importers.paths import PathsInUse, artifact_path
from fleetlog.importers.places import existing
from fleetlog.importers.source import Points, SourceError, SourceExperiment, SourceFile, SourceRun, Unread
from fleetlog.importers.times import millisecond_of, milliseconds_of
from fleetlog.importers.unread import UnreadItems

_NOT_COPIED = ("images", "audios", "distributions", "figures")
_FOLDER = ".aim"
_SUBSET = "subset"


def open_aim(place: str) -> AimSource:
    """Returns the source at a place. SourceError: there is no repository, or Aim is not installed."""
    return AimSource(existing(place))


class AimSource:
    """The folder that has `.aim` in it, or `.aim` itself. SourceError: it is none, or Aim is not installed."""

    kind = "aim"

    def __init__(self, path: Path) -> None:
        root = path.parent if path.name == _FOLDER else path
        if not (root / _FOLDER).is_dir():
            raise SourceError(f"{path}: there is no folder {_FOLDER}; give the folder that `aim init` was called in")
        try:
            library = importlib.import_module("aim")
        except ImportError:
            raise SourceError("Aim's repositories are read by Aim itself: pip install aim") from None
        self._path = root
        self._repository = library.Repo(str(root))
        self._unread = UnreadItems()

    def experiments(self) -> Iterator[SourceExperiment]:
        """None: an experiment's name is all that is taken of it."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every run that Aim has in its index; `since` asks when it started or ended."""
        seen: set[str] = set()
        for run in self._repository.iter_runs():
            seen.add(run.hash)
            end = millisecond_of(run.end_time) if run.end_time else None
            start = millisecond_of(run.creation_time)
            if since is None or end is None or max(end, start or 0) >= since:
                yield self._run(run, start, end)
        for missing in sorted(set(self._repository.list_all_runs()) - seen):
            self._unread.add(f"{self._path}, run {missing}", "it is not in Aim's index; call `aim storage reindex`")

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        return self._unread()

    def _run(self, run: Any, start: int | None, end: int | None) -> SourceRun:
        try:
            told = dict(run[...])
        except KeyError:
            told = {}  # it has no params at all
        system = told.pop("__system_params", None)
        tags = {"tags": ",".join(map(str, run.tags)), "mlflow.note.content": str(run.description or "")}
        if system is not None:
            self._unread.count(str(self._path), "what Aim noted of the machine (__system_params) is not copied")
        return SourceRun(
            id=str(run.hash),
            experiment=str(run.experiment or "default"),
            name=str(run.name or ""),
            state="RUNNING" if run.active else "FINISHED",
            start_time=start,
            end_time=end,
            deleted=bool(run.archived),
            params=params_of(told),
            tags={key: text for key, text in tags.items() if text},
            points=partial(self._points, run, start or 0),
            files=partial(self._files, run),
        )

    def _points(self, run: Any, start: int) -> Iterator[Points]:
        # Not by run.metrics(), which has none of a run that is archived.
        context = importlib.import_module("aim.storage.context").Context
        found = [
            (key_of(told["name"], told["context"]), told) for told in run.collect_sequence_info(("metric",))["metric"]
        ]
        for key, told in sorted(found, key=lambda one: one[0]):
            metric = run.get_metric(told["name"], context(dict(told["context"])))
            if metric is None:
                self._unread.add(f"{self._path}, run {run.hash}, metric {key}", "Aim lists it, and has no points of it")
                continue
            steps, (values, _epochs, times) = metric.data.numpy()
            milliseconds, _ = milliseconds_of(np.asarray(times, np.float64), start)
            yield Points(key, np.asarray(steps, np.int64), np.asarray(values, np.float64), milliseconds)

    def _files(self, run: Any) -> Iterator[SourceFile]:
        paths = PathsInUse()
        found = run.collect_sequence_info(("texts", *_NOT_COPIED))
        for kind in _NOT_COPIED:
            where = f"{self._path}, run {run.hash}"
            self._unread.count(where, f"{kind} are not copied", len(found.get(kind, ())))
        for told in found.get("texts", ()):
            key = key_of(told["name"], told["context"])
            lines = json_lines(partial(_texts, run, told["name"], told["context"]))
            yield SourceFile(paths.unused(artifact_path("text", f"{key}.jsonl")), lines)


def key_of(name: str, context: Mapping[str, Any]) -> str:
    """Key of a metric in a context: "val/loss" where that is a subset alone, else "a=1/b=2/loss"."""
    if set(context) == {_SUBSET}:
        return f"{context[_SUBSET]}/{name}"
    return "/".join([*(f"{key}={value}" for key, value in sorted(context.items())), name])


def _texts(run: Any, name: str, context: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    library = importlib.import_module("aim.sdk.objects.text")
    sequence = run.get_text_sequence(name, importlib.import_module("aim.storage.context").Context(dict(context)))
    if sequence is None:
        return
    steps, (values, *_) = sequence.data.items_list()
    for step, value in zip(steps, values, strict=True):
        texts = value if isinstance(value, list) else [value]
        for text in texts:
            yield {"step": step, "value": text.data if isinstance(text, library.Text) else str(text)}
