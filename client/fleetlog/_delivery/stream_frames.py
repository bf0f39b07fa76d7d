"""Frames to be sent, in the order of their answers: the first ones were sent by the stream there is."""

from __future__ import annotations

from collections import deque
from itertools import islice

from fleetlog._delivery.owed_answers import OwedAnswers
from fleetlog._delivery.sent import Sent

FRAMES_IN_FLIGHT = 32
SMALL_FRAMES_IN_FLIGHT = 4_096
BYTES_IN_FLIGHT = 4_000_000
"""Frames are small when so many of them have fewer bytes together."""
REQUEST_BYTES = 500_000
"""Frames that are small go together into requests of about this size, as far as the server takes several at once."""


class StreamFrames:
    """Frames of one delivery. Used with the lock of what is in flight."""

    def __init__(self) -> None:
        self._frames: deque[Sent] = deque()
        self._sent = 0
        self._together = 1
        self.owed = OwedAnswers()
        """Answers to the requests that the stream there is sent."""
        self.size = 0
        """Bytes of the frames."""

    @property
    def full(self) -> bool:
        """True if there are enough of them."""
        frames = len(self._frames)
        return frames >= SMALL_FRAMES_IN_FLIGHT or (frames >= FRAMES_IN_FLIGHT and self.size >= BYTES_IN_FLIGHT)

    @property
    def unsent(self) -> int:
        """Number of those that are still to be sent."""
        return len(self._frames) - self._sent

    @property
    def lacks_frames(self) -> bool:
        """True if a request could have more frames than there are."""
        return self.unsent < max(self._together, 1)

    def begin(self) -> None:
        """A new stream: it sends all of them again, one by one until its server says that it takes several."""
        self._sent = 0
        self._together = 1
        self.owed.begin()

    def allow(self, frames: int) -> None:
        """The stream's server takes so many frames in one request."""
        self._together = frames

    def add(self, sent: Sent) -> None:
        """The last one."""
        self._frames.append(sent)
        self.size += sent.size

    def next(self) -> list[Sent]:
        """What the stream sends now, in one request; none when it sent all."""
        found: list[Sent] = []
        if not self.unsent:
            return found
        if self._sent == 0:
            self.owed.hear()
        size = 0
        for sent in islice(self._frames, self._sent, self._sent + max(self._together, 1)):
            size += sent.size
            if found and size > REQUEST_BYTES:
                break
            found.append(sent)
        self._sent += len(found)
        self.owed.sent(len(found))
        return found

    def first_sent(self) -> Sent | None:
        """The one whose answer is next."""
        return self._frames[0] if self._frames and self._sent else None

    def oldest(self, count: int) -> list[Sent]:
        """The first ones."""
        return list(islice(self._frames, count))

    def answered(self) -> Sent:
        """Forget the first one."""
        sent = self._frames.popleft()
        self._sent -= 1
        self.size -= sent.size
        self.owed.hear()
        return sent

    @property
    def owed_bytes(self) -> int:
        """Bytes of the request whose answer is next; 0 when none is."""
        return sum(sent.size for sent in islice(self._frames, self.owed.next_frames))

    @property
    def silent_seconds(self) -> float:
        """How long the stream has owed an answer and given none; 0 when it owes none."""
        return self.owed.silent_seconds if self._sent > 0 or self.owed.has_heartbeats else 0.0
