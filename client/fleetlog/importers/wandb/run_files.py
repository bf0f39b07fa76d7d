"""Files of a W&B run: its folder's, its artifacts', its console, and what of its history is no number."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from fleetlog.importers.messages import text_of
from fleetlog.importers.paths import PathsInUse, artifact_path
from fleetlog.importers.source import SourceFile
from fleetlog.importers.spool import spooled
from fleetlog.importers.unread import UnreadItems
from fleetlog.importers.wandb.history import STEP, TIME
from fleetlog.importers.wandb.messages import items, message
from fleetlog.importers.wandb.run_log import RunLog, read_records

CONSOLE = "output.log"
SUMMARY = "wandb-summary.json"
_STAGING = ("artifacts", "staging")


def files_of(log: RunLog, texts: Mapping[Path, Mapping[str, array[int]]], unread: UnreadItems) -> Iterator[SourceFile]:
    """Files of a run; `texts` = offsets of the records with values that are no numbers, by file and key."""
    paths = PathsInUse()
    own: set[str] = set()
    for path in log.files:
        for name, file in _in_folder(path.parent / "files"):
            own.add(name)
            yield SourceFile(paths.unused(artifact_path(name)), _opener(file), file.stat().st_size, file)
    if CONSOLE not in own:
        yield SourceFile(paths.unused(CONSOLE), lambda: spooled(_console(log, unread)))
    if SUMMARY not in own and log.summary:
        content = json.dumps(log.summary, ensure_ascii=False, indent=1).encode()
        yield SourceFile(paths.unused(SUMMARY), lambda: BytesIO(content), len(content))
    for key in sorted({key for of_file in texts.values() for key in of_file}):
        places = {path: of_file[key] for path, of_file in texts.items() if key in of_file}
        opened = partial(_spooled_lines, key, places, unread)
        yield SourceFile(paths.unused(artifact_path("history", f"{key}.jsonl")), opened)
    for artifact in log.artifacts:
        yield from _of_artifact(log, artifact, paths, unread)


def _in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(parent) / name
            if file.is_file():
                yield file.relative_to(folder).as_posix(), file


def _of_artifact(log: RunLog, artifact: Any, paths: PathsInUse, unread: UnreadItems) -> Iterator[SourceFile]:
    """Files of an artifact that are on this machine, in W&B's own folders: a record may name any file of it."""
    name = text_of(artifact.name)
    root = log.files[0].resolve().parent.parent
    for entry in artifact.manifest.contents:
        path, local = text_of(entry.path), text_of(entry.local_path)
        where = f"{log.files[0]}, artifact {name}, {path}"
        if text_of(entry.ref):
            unread.add(where, f"a reference to {text_of(entry.ref)[:200]}: not copied", is_fault=False)
            continue
        file = Path(local)
        real = Path(os.path.realpath(local)) if local else file
        is_staged = any(pair == _STAGING for pair in zip(real.parts, real.parts[1:], strict=False))
        if not local or not (is_staged or real.is_relative_to(root)) or not real.is_file():
            unread.add(where, "its file is not among W&B's files on this machine")
            continue
        full = artifact_path("artifacts", name, path)
        yield SourceFile(paths.unused(full), _opener(real), real.stat().st_size, real)


def _opener(file: Path) -> Callable[[], BinaryIO]:
    return lambda: file.open("rb")


def _console(log: RunLog, unread: UnreadItems) -> Iterator[bytes]:
    """What the run wrote to its console, as its records have it."""
    for path in log.files:
        for _, record in read_records(path, unread):
            content = record.output_raw or record.output
            output = message("Output", content) if content else None
            if output is not None:
                yield output.line


def _lines(key: str, places: Mapping[Path, array[int]], unread: UnreadItems) -> Iterator[bytes]:
    """JSON lines with step, time and value of each step that has the key."""
    for path, offsets in places.items():
        wanted = set(offsets)
        for offset, record in read_records(path, unread):
            if offset in wanted:
                yield _line(key, message("History", record.history))


def _spooled_lines(key: str, places: Mapping[Path, array[int]], unread: UnreadItems) -> BinaryIO:
    return spooled(_lines(key, places, unread))


def _line(key: str, history: Any) -> bytes:
    values = dict(items(history.item, {}))
    step = history.step.num if history.HasField("step") else json.loads(values.get(STEP, b"0"))
    head = json.dumps({"step": step, "time": json.loads(values.get(TIME, b"null"))}).encode()
    value = values.get(key) or _media(key, values)
    return head[:-1] + b', "value": ' + value + b"}\n"


def _media(key: str, values: Mapping[str, bytes]) -> bytes:
    """The object that the items below the key are."""
    parts = (
        json.dumps(name.removeprefix(f"{key}.")).encode() + b": " + text
        for name, text in values.items()
        if name.startswith(f"{key}.")
    )
    return b"{" + b", ".join(parts) + b"}"
