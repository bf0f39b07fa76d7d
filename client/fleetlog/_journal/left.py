"""Journals that dead processes left: what is in them, read in passes, so that their size does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleetlog_proto.v1 import frame_pb2
from google.protobuf.message import DecodeError

from fleetlog._journal.folders import About, about, segments
from fleetlog._journal.kept_files import KeptFile, kept_files
from fleetlog._journal.reading import Damage, read_segment
from fleetlog._journal.records import Answered, ExperimentNumber, LoggedFrame

SHORT_LOOK_BYTES = 1 << 20
"""Bytes of a journal that are read to tell whether anything in it waits."""


@dataclass(slots=True)
class WaitingFrame:
    """A frame that has no answer yet."""

    segment: Path
    frame: frame_pb2.Frame
    size: int
    experiment: str
    """Name of the experiment whose number it lacks; "" when it lacks none."""
    number: int | None
    """That number, when the dead process had learned it."""


@dataclass
class RunSummary:
    """What waits of one run."""

    namespace: str
    run_id: str
    name: str = ""
    experiment: str = ""
    points: int = 0
    events: int = 0
    files: int = 0
    first_millis: int = 0
    last_millis: int = 0


@dataclass
class Left:
    """The journal in one folder. OSError from all that reads it."""

    path: Path
    segments: list[Path] = field(init=False)
    about: About | None = field(init=False)
    damages: list[Damage] = field(default_factory=list)
    """Where segments end before their end; of the pass that was made last."""

    def __post_init__(self) -> None:
        self.segments = segments(self.path)
        self.about = about(self.path)
        self._answered: dict[tuple[bytes, bytes], int] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        for segment in self.segments:
            for record in read_segment(segment, []):
                if isinstance(record, Answered):
                    key = (record.run_id, record.writer_id)
                    self._answered[key] = max(record.sequence, self._answered.get(key, 0))
                elif isinstance(record, ExperimentNumber):
                    self._numbers[record.namespace, record.name] = record.number

    @property
    def size(self) -> int:
        """Bytes of its segments and its files."""
        return sum(segment.stat().st_size for segment in self.segments) + sum(file.size for file in self.files())

    def files(self) -> list[KeptFile]:
        """The files that wait, oldest first."""
        return list(kept_files(self.path))

    def frames(self) -> Iterator[WaitingFrame]:
        """The frames that have no answer, in their order."""
        self.damages.clear()
        for segment in self.segments:
            for record in read_segment(segment, self.damages):
                if isinstance(record, LoggedFrame) and (found := self._waiting(segment, record)) is not None:
                    yield found

    def _waiting(self, segment: Path, logged: LoggedFrame) -> WaitingFrame | None:
        try:
            frame = frame_pb2.Frame.FromString(logged.frame)
        except DecodeError as error:
            self.damages.append(Damage(segment, 0, len(logged.frame), f"a frame of it can't be decoded: {error}"))
            return None
        if not frame.events or frame.events[-1].sequence <= self._answered.get((frame.run_id, frame.writer_id), 0):
            return None
        number = self._numbers.get((frame.namespace, logged.experiment))
        return WaitingFrame(segment, frame, len(logged.frame), logged.experiment, number)

    def runs(self) -> list[RunSummary]:
        """What waits, by run, in the order in which they come."""
        found: dict[tuple[str, bytes], RunSummary] = {}
        for waiting in self.frames():
            frame = waiting.frame
            key = (frame.namespace, frame.run_id)
            run = found.setdefault(key, RunSummary(frame.namespace or "default", frame.run_id.hex()))
            run.experiment = run.experiment or waiting.experiment
            for event in frame.events:
                run.events += 1
                metrics = event.metrics_logged
                run.points += len(metrics.step_deltas) * len(metrics.columns)
                run.name = run.name or event.run_started.name
                run.first_millis = run.first_millis or event.observe_time_millis
                run.last_millis = max(run.last_millis, event.observe_time_millis)
        for file in self.files():
            about = file.about
            key = (about.namespace, bytes.fromhex(about.run_id))
            run = found.setdefault(key, RunSummary(about.namespace or "default", about.run_id))
            run.files += 1
            run.first_millis = run.first_millis or about.logged_millis
            run.last_millis = max(run.last_millis, about.logged_millis)
        return list(found.values())


def is_something_left(path: Path) -> bool:
    """True if a journal has frames without an answer, files, or damage. A large one is taken to have some. OSError."""
    if sum(segment.stat().st_size for segment in segments(path)) > SHORT_LOOK_BYTES:
        return True
    left = Left(path)
    return next(left.frames(), None) is not None or bool(left.damages) or bool(left.files())
