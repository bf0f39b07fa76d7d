"""Frames that wait behind those to be sent: in memory, or in the journal alone when there are too many of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fleetlog._delivery.sent import Sent, points_of
from fleetlog._delivery.spilled import Paths, Spilled
from fleetlog._journal.segments import Place


class WaitingFrames:
    """Frames in their order. `paths` are the journal's segments from a number on; None = there is no journal."""

    def __init__(self, paths: Paths | None, most_bytes: int) -> None:
        self._paths = paths
        self._most_bytes = most_bytes
        self._frames: deque[Sent | Spilled] = deque()
        self.size = 0
        """Bytes of those in memory."""

    def __bool__(self) -> bool:
        return bool(self._frames)

    @property
    def must_spill(self) -> bool:
        """True if the next ones are to be in the journal alone: memory is full, or those before them are there."""
        return self.size >= self._most_bytes or (bool(self._frames) and isinstance(self._frames[-1], Spilled))

    def extend(self, frames: Sequence[Sent]) -> None:
        """The next ones, in memory."""
        self._frames.extend(frames)
        self.size += sum(sent.size for sent in frames)

    def spill(self, frames: Sequence[Sent], place: Place) -> bool:
        """The next ones, which the journal has at the place; False when there is no journal to read them from."""
        if self._paths is None:
            return False
        last = self._frames[-1] if self._frames else None
        if not isinstance(last, Spilled):
            last = Spilled(place, frames[0].serial, self._paths)
            self._frames.append(last)
        last.extend([sent.writer for sent in frames], sum(sent.points for sent in frames))
        return True

    def take(self) -> Sent | Spilled:
        """The first one of some; or a stretch of the journal whose rest is gone, since it can't be read.

        OSError: the journal can't be read now.
        """
        first = self._frames[0]
        if isinstance(first, Sent):
            self._frames.popleft()
            self.size -= first.size
            return first
        if first.count and (read := first.read()) is not None:
            writer, logged, frame = read
            points = points_of(frame)
            first.points -= points
            return Sent(
                frame, writer, points, len(logged.frame), first.next_serial - 1, bool(logged.experiment),
                is_journaled=True,
            )  # fmt: skip
        self._frames.popleft()
        return first
