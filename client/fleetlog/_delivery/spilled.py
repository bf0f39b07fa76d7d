"""Frames that are in the journal alone: what found no room in memory, read back in its order when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from fleetlog_proto.v1 import frame_pb2

from fleetlog._events.items import Writer
from fleetlog._journal.folders import number_of
from fleetlog._journal.reading import Damage, read_frames
from fleetlog._journal.records import LoggedFrame
from fleetlog._journal.segments import Place

Paths = Callable[[int], Sequence[Path]]
"""The segments of the journal from a number on."""


class Spilled:
    """A stretch of the journal, which grows at its end."""

    def __init__(self, place: Place, first_serial: int, paths: Paths) -> None:
        self._place = place
        self._paths = paths
        self._writers: dict[tuple[bytes, bytes], Writer] = {}
        self._reading: Iterator[LoggedFrame] | None = None
        self._done = 0
        """Frames that were read."""
        self.next_serial = first_serial
        self.count = 0
        """Frames that are not read yet."""
        self.points = 0
        self.damages: list[Damage] = []

    def extend(self, writers: Sequence[Writer], points: int) -> None:
        """Frames that were appended behind those it has, each with its writer."""
        for writer in writers:
            self._writers[writer.run_id, writer.writer_id] = writer
        self.count += len(writers)
        self.points += points

    def read(self) -> tuple[Writer, LoggedFrame, frame_pb2.Frame] | None:
        """The next frame; None when those that are left can't be read. OSError: perhaps it can, later."""
        try:
            logged = next(self._rest(), None)
        except OSError:
            self._reading = None
            raise
        if logged is None:
            return None
        frame = frame_pb2.Frame.FromString(logged.frame)
        self._done += 1
        self.count -= 1
        self.next_serial += 1
        return self._writers[frame.run_id, frame.writer_id], logged, frame

    def _rest(self) -> Iterator[LoggedFrame]:
        if self._reading is None:
            self.damages.clear()
            self._reading = islice(self._all(), self._done, None)
        return self._reading

    def _all(self) -> Iterator[LoggedFrame]:
        number, offset = self._place.segment, self._place.offset
        # Others may be begun while one is read.
        while paths := self._paths(number):
            yield from read_frames(paths[:1], offset, self.damages)
            number, offset = number_of(paths[0]) + 1, 0
