"""Delivering a journal that a dead process left: its frames as they are, with their writers and sequences.

So what the server has already changes nothing, whoever delivers it and how often. A segment is removed when the server
answered for all of it; what it refuses for good is set aside, with its reason, and holds up nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from fleetlog_proto.v1 import frame_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.kept_uploads import uploaded
from fleetlog._delivery.redelivery_report import Report, SetAsideRefusals
from fleetlog._delivery.sent import Sent, points_of
from fleetlog._events.items import Writer
from fleetlog._journal.folders import Folder
from fleetlog._journal.kept_files import KeptFile
from fleetlog._journal.left import Left, WaitingFrame
from fleetlog._journal.reading import Damage
from fleetlog._journal.set_aside import SetAside
from fleetlog._transport.connection import Connection
from fleetlog.errors import DeadlineExceeded, FleetlogError, is_verdict

BATCH_FRAMES = 64
DEFAULT_EXPERIMENT = 0


class Redelivery:
    """Delivers the journal in a folder whose lock is held. `progress` takes bytes that were dealt with."""

    def __init__(
        self,
        folder: Folder,
        connection: Connection,
        patience_seconds: float,
        progress: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._left = Left(folder.path)
        self._folder = folder
        self._patience_seconds = patience_seconds
        self._progress = progress
        self.report = Report()
        self._aside = SetAside(folder.path, self._left.about)
        self._refusals = SetAsideRefusals(self._aside, self.report)
        self._delivery = Delivery(connection, refusals=self._refusals, forgotten=self._answered)
        self._lock = threading.Lock()
        self._unanswered: deque[WaitingFrame] = deque()
        self._writers: dict[tuple[bytes, bytes], Writer] = {}
        self._heard = time.monotonic()
        self._holds_damaged = False

    @property
    def size(self) -> int:
        """Bytes of the journal."""
        return self._left.size

    def run(self) -> Report:
        """Deliver all of it. FleetlogError: no server takes it now; OSError. What has no answer then is left there."""
        try:
            self._deliver()
        finally:
            self._delivery.close()
            self._aside.close()
        return self.report

    def _deliver(self) -> None:
        self._heard = time.monotonic()
        frames = self._left.frames()
        done = 0
        while batch := list(islice(frames, BATCH_FRAMES)):
            # Before what it has is sent: then a segment whose frames all have their answers is through.
            made = [self._made(waiting) for waiting in batch]
            with self._lock:
                self._unanswered.extend(batch)
            self._send(made)
            done += self._remove_before(batch[-1].segment, done)
        self._wait(lambda: not self._unanswered)
        for kept in self._left.files():
            self._deliver_file(kept)
        self._end(done)

    def _made(self, waiting: WaitingFrame) -> tuple[Writer, frame_pb2.Frame]:
        frame = waiting.frame
        frame.redelivered = True
        key = (frame.run_id, frame.writer_id)
        writer = self._writers.get(key)
        if writer is None:
            rank = frame.rank if frame.HasField("rank") else None
            writer = Writer(frame.namespace, *key, rank, waiting.experiment, None, subject=frame.subject)
            self._writers[key] = writer
        if waiting.experiment:
            number = (
                waiting.number if waiting.number is not None else self._resolved(frame.namespace, waiting.experiment)
            )
            for event in frame.events:
                if event.HasField("run_started"):
                    event.run_started.experiment_id = number
        return writer, frame

    def _deliver_file(self, kept: KeptFile) -> None:
        """Upload one that waits, and tell the run of it. FleetlogError: no server takes it now."""
        report, about = self.report, kept.about
        number = about.experiment_id
        if number is None:
            number = self._resolved(about.namespace, about.experiment) if about.experiment else DEFAULT_EXPERIMENT
        try:
            made = uploaded(self._delivery.connection, kept, number)
        except (FleetlogError, OSError) as error:
            if isinstance(error, FleetlogError) and not is_verdict(error):
                raise
            self._set_file_aside(kept, error)
            return
        before = report.set_aside_frames
        with self._lock:
            self._unanswered.append(WaitingFrame(kept.path, made[1], kept.size, "", None))
        self._send([made])
        self._wait(lambda: not self._unanswered)
        if report.set_aside_frames > before:
            self._aside.take_file(kept, {"run_id": about.run_id, "name": about.name, "reason": "FRAME_SET_ASIDE"})
            return
        report.files += 1
        kept.remove()

    def _set_file_aside(self, kept: KeptFile, error: FleetlogError | OSError) -> None:
        about = kept.about
        reason = error.reason if isinstance(error, FleetlogError) else "FILE_UNREADABLE"
        said = {"run_id": about.run_id, "name": about.name, "reason": reason, "message": str(error)}
        self._aside.take_file(kept, said)
        self.report.problems.append(f"run {about.run_id}: artifact {about.name} is set aside: {error}")

    def _resolved(self, namespace: str, experiment: str) -> int:
        try:
            return self._delivery.resolve(namespace, experiment, self._patience_seconds)
        except FleetlogError as error:
            if not is_verdict(error):
                raise
            self.report.problems.append(f"runs of experiment {experiment!r} go to Default: {error.message}")
            return DEFAULT_EXPERIMENT

    def _send(self, made: Sequence[tuple[Writer, frame_pb2.Frame]]) -> None:
        self._wait(self._delivery.has_room)
        self._delivery.send_again(made)

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds. DeadlineExceeded: nothing was answered for too long; OSError."""
        while not self._delivery.wait(condition, 0.5):
            self._check_set_aside()
            if time.monotonic() - self._heard > self._patience_seconds:
                raise DeadlineExceeded(
                    "NOT_DURABLE",
                    f"{self._delivery.connection.target} took nothing for {self._patience_seconds:.0f} s;"
                    " what has no answer stays in the journal: run `fleetlog sync` again when the server takes events",
                )
        self._check_set_aside()

    def _check_set_aside(self) -> None:
        """OSError: a frame that was refused could not be set aside, and its journal stays as it is."""
        if self._refusals.failure is not None:
            raise self._refusals.failure

    def _answered(self, frames: Sequence[Sent]) -> None:
        """These have their answers, in the order in which they were sent."""
        self._heard = time.monotonic()
        size = 0
        with self._lock:
            for _ in frames:
                size += self._unanswered.popleft().size
        for sent in frames:
            self.report.frames += 1
            self.report.points += points_of(sent.frame)
            self.report.runs.add(sent.frame.run_id)
        self._progress(size)

    def _remove_before(self, segment: Path, done: int) -> int:
        """Remove the segments that all answers are there for; how many."""
        with self._lock:
            needed = self._unanswered[0].segment if self._unanswered else segment
        # One that was refused is set aside before it counts as answered: if that failed, it is known by now.
        self._check_set_aside()
        through = self._left.segments[done : self._left.segments.index(needed)]
        self._remove(through)
        return len(through)

    def _end(self, done: int) -> None:
        self._remove(self._left.segments[done:])
        if self._holds_damaged or (self._aside.path == self._folder.path and any(self._aside.kept())):
            return
        try:
            self._folder.remove()
            self.report.removed = True
        except OSError as error:
            self._not_removed(error)

    def _not_removed(self, error: OSError) -> None:
        line = f"its files can't be removed, and would be delivered again: {error.strerror or error}"
        if line not in self.report.problems:
            self.report.problems.append(line)

    def _remove(self, through: Sequence[Path]) -> None:
        if not through:
            return
        self._aside.sync()
        damaged = {damage.path: damage for damage in self._left.damages}
        for path in through:
            if path in damaged:
                self._take_damaged(path, damaged[path])
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._not_removed(error)

    def _take_damaged(self, path: Path, damage: Damage) -> None:
        """Set a segment aside; where that fails, its folder stays."""
        where = f"{path.name} is damaged from byte {damage.offset:,} on ({damage.why})"
        lost = f"{where}: {damage.lost_bytes:,} bytes can't be read"
        try:
            self._aside.take_damaged(path)
        except OSError as error:
            self._holds_damaged = True
            self.report.problems.append(f"{lost}, and stay in {path.parent}: {error.strerror or error}")
        else:
            self.report.problems.append(f"{lost}, and are set aside in {self._aside.path}")
