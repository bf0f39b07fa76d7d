"""What a run's .wandb files tell of it before its points are read: who it is, its config, its summary, how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetlog.importers.json_values import leaves, number_of
from fleetlog.importers.messages import text_of
from fleetlog.importers.source import Fork
from fleetlog.importers.unread import UnreadItems
from fleetlog.importers.wandb.history import RUNTIME, STEP, TIME, media_prefixes
from fleetlog.importers.wandb.messages import VALUE_FIELD, items, message, milliseconds
from fleetlog.importers.wandb.transaction_log import records

_OWN = "_wandb"
_INTERNAL = (STEP, TIME, RUNTIME, _OWN, "")
_NOTES = "mlflow.note.content"
_SUMMARY = "summary."


@dataclass(slots=True)
class RunLog:
    """A run as its files tell it, in the order of the files."""

    files: Sequence[Path]
    is_empty: bool = True
    """True if no record could be read."""
    run_id: str = ""
    project: str = ""
    entity: str = ""
    name: str = ""
    state: str = "LOST"
    start_time: int | None = None
    end_time: int | None = None
    fork: Fork | None = None
    tags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[Any] = field(default_factory=list)

    def numbers(self) -> dict[str, float]:
        """Numbers of the summary, by key."""
        return {key: number for key, value in self._leaves() if (number := number_of(value)) is not None}

    def all_tags(self) -> dict[str, str]:
        """The run's tags, and the texts of its summary."""
        texts = {_SUMMARY + key: value for key, value in self._leaves() if isinstance(value, str)}
        return {**{key: text for key, text in texts.items() if number_of(text) is None}, **self.tags}

    def _leaves(self) -> Iterator[tuple[str, Any]]:
        media = media_prefixes(self.summary)
        for key, value in self.summary.items():
            if not key.startswith(media) and not (isinstance(value, dict) and "_type" in value):
                yield from leaves(key, value)


def run_log(path: Path, unread: UnreadItems) -> RunLog:
    """Returns what one file tells."""
    found = RunLog([path])
    summary = _Summary()
    keys: dict[bytes, str] = {}
    last_history = b""
    for _, record in read_records(path, unread):
        found.is_empty = False
        if record.history:
            last_history = record.history
        elif record.summary:
            summary.update(record.summary)
        elif record.run:
            _take_run(found, record.run, keys)
        elif record.config:
            _take_config(found, record.config, keys)
        elif record.HasField("exit"):
            _take_exit(found, record.exit)
        elif record.artifact and (artifact := message("Artifact", record.artifact)) is not None:
            found.artifacts.append(artifact)
        elif record.stats or record.output_raw:
            _take_time(found, record)
    last = message("History", last_history)
    for key, text in items(last.item, keys) if last is not None else ():
        if key == TIME and (seconds := number_of(_json(text))) is not None:
            found.end_time = max(found.end_time or 0, round(seconds * 1000))
    for key, text in items(summary.items(), keys):
        if key.partition(".")[0] not in _INTERNAL:
            found.summary[key] = _json(text)
    return found


def joined(logs: Sequence[RunLog]) -> RunLog:
    """A run that was resumed, and so has several files: what later ones tell holds."""
    first, *later = sorted(logs, key=lambda log: (log.start_time or 0, str(log.files[0])))
    for log in later:
        first.files = [*first.files, *log.files]
        first.state = log.state
        first.name = log.name or first.name
        first.end_time = max(filter(None, (first.end_time, log.end_time)), default=None)
        first.tags |= log.tags
        first.config |= log.config
        first.summary |= log.summary
        first.artifacts += log.artifacts
    return first


def read_records(path: Path, unread: UnreadItems) -> Iterator[tuple[int, Any]]:
    """Records of a file with their offsets; what can't be read is told."""
    try:
        with path.open("rb") as file:
            for offset, content in records(file, lambda offset, why: unread.add(str(path), why, offset)):
                record = message("Record", content)
                if record is None:
                    unread.add(str(path), "a record that is none of W&B's", offset)
                else:
                    yield offset, record
    except OSError as error:
        unread.add(str(path), f"it can't be read: {error.strerror}")


def _take_run(found: RunLog, content: bytes, keys: dict[bytes, str]) -> None:
    run = message("Run", content)
    if run is None:
        return
    found.run_id, found.project, found.entity = text_of(run.run_id), text_of(run.project), text_of(run.entity)
    found.name = text_of(run.display_name) or found.name
    found.start_time = milliseconds(run.start_time) or found.start_time
    if run.config:
        _take_config(found, run.config, keys)
    tags = {
        "group": text_of(run.run_group), "job_type": text_of(run.job_type), _NOTES: text_of(run.notes),
        "sweep": text_of(run.sweep_id), "host": text_of(run.host), "entity": found.entity,
        "git.remote": text_of(run.git.remote_url), "git.commit": text_of(run.git.commit),
        "tags": ",".join(map(text_of, run.tags)),
    }  # fmt: skip
    found.tags |= {key: text for key, text in tags.items() if text}
    if run.HasField("branch_point") and text_of(run.branch_point.metric) == STEP:
        found.fork = Fork(text_of(run.branch_point.run), int(run.branch_point.value))


def _take_config(found: RunLog, content: bytes, keys: dict[bytes, str]) -> None:
    update = message("Update", content)
    if update is None:
        return
    for key, text in items(update.update, keys):
        if key.partition(".")[0] not in _INTERNAL:
            found.config[key] = _json(text)
        elif key == _OWN and found.fork is None:
            found.fork = _fork(_json(text))
    for key, _ in items(update.remove, keys):
        found.config.pop(key, None)


def _fork(own: Any) -> Fork | None:
    """Where a run was forked, as older versions say it: in a part of the config that is the library's own."""
    point = own.get("branch_point") if isinstance(own, dict) else None
    match point:
        case {"run_id": str(run), "step": int(step)}:
            return Fork(run, step)
    return None


def _take_exit(found: RunLog, content: bytes) -> None:
    exit_ = message("Exit", content)
    if exit_ is None:
        return
    found.state = "FAILED" if exit_.exit_code else "FINISHED"
    if found.start_time is not None:
        found.end_time = max(found.end_time or 0, found.start_time + exit_.runtime * 1000)


def _take_time(found: RunLog, record: Any) -> None:
    part = message("Stats", record.stats) if record.stats else message("Output", record.output_raw)
    if part is not None and (time := milliseconds(part.timestamp)):
        found.end_time = max(found.end_time or 0, time)


class _Summary:
    """Items of a summary by their heads, which say their keys. They are read when all are there.

    W&B writes the whole summary again with each step: records with the keys of the one before replace it as they are.
    """

    def __init__(self) -> None:
        self._items: dict[bytes, bytes] = {}
        self._heads: list[bytes] = []
        """What the items of the last record begin with, up to their values."""
        self._last: Sequence[bytes] = ()

    def update(self, content: bytes) -> None:
        """Take a record."""
        update = message("Update", content)
        if update is None:
            return
        found = list(update.update)
        if len(found) != len(self._heads) or not all(map(bytes.startswith, found, self._heads)):
            self._settle()
            self._heads = [item.partition(VALUE_FIELD)[0] + VALUE_FIELD for item in found]
        self._last = found
        if update.remove:
            self._settle()
            self._heads, self._last = [], ()
            for item in update.remove:
                self._items.pop(item.partition(VALUE_FIELD)[0], None)

    def items(self) -> Iterable[bytes]:
        """Returns the items that hold at the end."""
        self._settle()
        return self._items.values()

    def _settle(self) -> None:
        for item in self._last:
            self._items[item.partition(VALUE_FIELD)[0]] = item


def _json(text: bytes) -> Any:
    """The value; the text itself where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "replace")
