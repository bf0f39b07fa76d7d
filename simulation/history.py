"""What happened in a world, line by line; and a digest by which two worlds are told to be the same."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256


class History:
    """Lines with their time. `clock` says the world's."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.clock: Callable[[], float] = lambda: 0.0

    def add(self, who: str, what: str) -> None:
        """One thing that happened."""
        self.lines.append(f"{self.clock():9.3f}  {who:<14} {what}")

    def digest(self) -> str:
        """Digest of all of it."""
        return sha256("\n".join(self.lines).encode()).hexdigest()[:16]

    def last(self, count: int) -> str:
        """The last lines of it."""
        return "\n".join(self.lines[-count:])
