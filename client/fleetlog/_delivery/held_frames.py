"""Frames of writers whose experiment has no number yet: those of other writers pass them."""

from __future__ import annotations

from fleetlog._delivery.sent import Sent
from fleetlog._events.items import Writer


class HeldFrames:
    """Frames in their order. Used with the lock of what is in flight."""

    def __init__(self) -> None:
        self._frames: list[Sent] = []
        self._writers: set[Writer] = set()
        self.size = 0
        """Bytes of them."""

    def hold(self, writer: Writer) -> None:
        """Hold the writer's frames from now on."""
        self._writers.add(writer)

    def holds(self, writer: Writer) -> bool:
        """True if the writer's frames are held."""
        return writer in self._writers

    def release(self, writer: Writer) -> list[Sent]:
        """Hold the writer's no more. Returns all there were; those of others are to be put back."""
        if writer not in self._writers:
            return []
        self._writers.discard(writer)
        frames, self._frames = self._frames, []
        self.size = 0
        return frames

    def take(self, sent: Sent) -> bool:
        """Take a frame; False when its writer is not held."""
        if sent.writer not in self._writers:
            return False
        self._frames.append(sent)
        self.size += sent.size
        return True
