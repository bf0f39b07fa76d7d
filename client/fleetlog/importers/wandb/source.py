"""W&B's folders as a source of runs: every .wandb file below a folder; those of one run are one run."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from fleetlog.importers.json_values import params_of
from fleetlog.importers.places import existing
from fleetlog.importers.source import Points, SourceError, SourceExperiment, SourceFile, SourceRun, Unread
from fleetlog.importers.unread import UnreadItems
from fleetlog.importers.wandb.history import History
from fleetlog.importers.wandb.run_files import files_of
from fleetlog.importers.wandb.run_log import RunLog, joined, read_records, run_log


def open_wandb(place: str) -> WandbSource:
    """Returns the source at a place. SourceError: it is not there, or has no .wandb files."""
    source = WandbSource(existing(place))
    source.check()
    return source


class WandbSource:
    """Folders of W&B, such as `wandb` with its `offline-run-…`, or one .wandb file.

    What `wandb sync` would send is read, and in its place: it need not have been sent.
    """

    kind = "wandb"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unread = UnreadItems()

    def experiments(self) -> Iterator[SourceExperiment]:
        """None: a project has nothing but its name."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every run, those that others were forked from before these; `since` asks when a file was last written to."""
        by_run: dict[tuple[str, str, str], list[RunLog]] = {}
        changed: set[tuple[str, str, str]] = set()
        for path in self._files():
            log = run_log(path, self._unread)
            if log.is_empty:
                continue
            log.run_id = log.run_id or path.stem.removeprefix("run-")
            key = (log.entity, log.project, log.run_id)
            by_run.setdefault(key, []).append(log)
            if since is None or path.stat().st_mtime_ns // 1_000_000 >= since:
                changed.add(key)
        logs = {_id(key): joined(some) for key, some in by_run.items() if key in changed}
        for id_ in _parents_first(logs):
            yield self._run(id_, logs[id_])

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        return self._unread()

    def check(self) -> None:
        """SourceError: there are no .wandb files."""
        self._files()

    def _run(self, id_: str, log: RunLog) -> SourceRun:
        texts: dict[Path, dict[str, array[int]]] = {}
        is_read = False

        def points() -> Iterator[Points]:
            nonlocal is_read
            texts.clear()
            history = History(log.start_time or 0, self._unread)
            for path in log.files:
                history.begin_file(str(path))
                for offset, record in read_records(path, self._unread):
                    yield from history.add(offset, record)
                yield from history.end_file()
                texts[path] = history.texts
            yield from history.end(log.numbers())
            is_read = True

        def files() -> Iterator[SourceFile]:
            if not is_read:
                for _ in points():
                    pass
            yield from files_of(log, texts, self._unread)

        fork = log.fork
        if fork is not None:
            fork = type(fork)(_id((log.entity, log.project, fork.run)), fork.step)
        return SourceRun(
            id=id_,
            experiment=log.project or "uncategorized",
            name=log.name,
            state=log.state,
            start_time=log.start_time,
            end_time=log.end_time,
            fork=fork,
            params=params_of(log.config),
            tags=log.all_tags(),
            points=points,
            files=files,
        )

    def _files(self) -> list[Path]:
        if self._path.is_file():
            return [self._path]
        found = [
            Path(folder) / name
            for folder, folders, names in os.walk(self._path)  # `latest-run` is a link: it is not followed
            for name in sorted(names)
            if name.endswith(".wandb")
        ]
        if not found:
            raise SourceError(
                f"{self._path}: there are no .wandb files; give the folder `wandb` of a training, or an `offline-run-…`"
            )
        return sorted(found)


def _id(key: tuple[str, str, str]) -> str:
    return "/".join(part for part in key if part)


def _parents_first(logs: dict[str, RunLog]) -> list[str]:
    """Ids of the runs by start, each behind the one that it was forked from."""
    found: dict[str, None] = {}
    for id_ in sorted(logs, key=lambda id_: (logs[id_].start_time or 0, id_)):
        above: list[str] = []
        while id_ in logs and id_ not in found and id_ not in above:
            above.append(id_)
            log = logs[id_]
            if log.fork is None:
                break
            id_ = _id((log.entity, log.project, log.fork.run))
        found |= dict.fromkeys(reversed(above))
    return list(found)
