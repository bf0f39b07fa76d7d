"""What one run records: its inputs once, its output and the machine's metrics until it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from fleetlog._capture.console import Written
from fleetlog._capture.console_parts import ConsoleParts
from fleetlog._capture.switches import Switches

FOLDER = "captured"
"""Folder of the run's artifacts that everything recorded is in."""


@dataclass(slots=True)
class Inputs:
    """What is recorded once: tags, and files by their path in the folder."""

    tags: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


class Sink(Protocol):
    """The run, as what is recorded reaches it. None of it waits for a server."""

    @property
    def run_id(self) -> bytes:
        """The run's id."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that the run was not given by its user."""
        ...

    def keep_file(self, path: str, content: bytes) -> None:
        """Keep a file of up to 1 MiB; under the same path the last one stays."""
        ...

    def remove_file(self, path: str) -> None:
        """Remove a file."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log a step that is none of the training's."""
        ...

    def lose(self, reason: str) -> None:
        """Have the run told that something of it is not recorded."""
        ...


class Recording:
    """One run of this process. Used under the recorder's lock."""

    def __init__(self, sink: Sink, on: Switches, folder: str, is_wanted: Callable[[], bool], now: float) -> None:
        self.sink = sink
        self.on = on
        self.is_wanted = is_wanted
        """True if the inputs are this process's to tell: asked once, off the training's thread, and may take time."""
        self.are_inputs_told = False
        """True if nothing more is to come of what is recorded once."""
        self.are_inputs_dropped = False
        """True if the process ends, and nothing of them may be told any more."""
        self.step = 0
        self.sample_at = now + on.system_seconds
        self._console = ConsoleParts(f"{FOLDER}/console/{folder}", now) if "console" in on else None

    def tell(self, inputs: Inputs) -> None:
        """Log what was collected."""
        if inputs.tags:
            self.sink.set_tags(inputs.tags)
        for path, content in inputs.files.items():
            self.sink.keep_file(f"{FOLDER}/{path}", content)

    def sample(self, metrics: Mapping[str, float]) -> None:
        """Log the machine's metrics, a step each time."""
        if metrics:
            self.sink.log_metrics(metrics, self.step)
            self.step += 1

    @property
    def has_console(self) -> bool:
        """True if output is recorded."""
        return self._console is not None

    def print(self, written: Written) -> None:
        """Take output."""
        if self._console is not None:
            self._console.feed(written.stream, written.text, written.millis)

    def keep_output(self, now: float, *, is_last: bool = False) -> None:
        """Log the output, when it is time."""
        if self._console is None or not (is_last or self._console.is_due(now)):
            return
        files, removed = self._console.write(now, is_last=is_last)
        for path, content in files:
            self.sink.keep_file(path, content)
        for path in removed:
            self.sink.remove_file(path)


def console_folder(rank: int | None, writer_id: bytes, now: datetime | None = None) -> str:
    """Name of the folder of one process's output: by time, rank and writer, so that none has another's."""
    when = (datetime.now(UTC) if now is None else now).strftime("%Y%m%dT%H%M%SZ")
    return f"{when}{'' if rank is None else f'-rank{rank}'}-{writer_id.hex()[:4]}"
