"""The life of a delivery's streams: a table, pure. Each begins a generation; what an earlier one sends is over.

IDLE       ─begin─▶ STREAMING ─ended─▶ IDLE          the next one begins behind a pause
STREAMING  ─pause─▶ ENDING    ─ended─▶ PAUSED        before a fork
PAUSED     ─resume─▶ IDLE
any        ─close─▶ CLOSED                           nothing begins any more
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """Whether there is a stream, and whether one may begin."""

    IDLE = auto()
    STREAMING = auto()
    ENDING = auto()
    """Paused, and there is one yet."""
    PAUSED = auto()
    CLOSED = auto()


class Change(Enum):
    """What happens to it."""

    BEGIN = auto()
    ENDED = auto()
    PAUSE = auto()
    RESUME = auto()
    CLOSE = auto()


_NEXT = {
    (State.IDLE, Change.BEGIN): State.STREAMING,
    (State.IDLE, Change.PAUSE): State.PAUSED,
    (State.STREAMING, Change.ENDED): State.IDLE,
    (State.STREAMING, Change.PAUSE): State.ENDING,
    (State.ENDING, Change.ENDED): State.PAUSED,
    # It is being cancelled, and ends; the one after it may begin.
    (State.ENDING, Change.RESUME): State.STREAMING,
    (State.PAUSED, Change.RESUME): State.IDLE,
} | {(state, Change.CLOSE): State.CLOSED for state in State}


class StreamState:
    """Changes that are not in the table do nothing: a stream that ends twice, a pause of what is paused."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.generation = 0
        """Number of the stream that may send; every change but `RESUME` is the end of the one before."""

    def change(self, change: Change) -> int:
        """Go on; the generation from now on."""
        self.state = _NEXT.get((self.state, change), self.state)
        if change is not Change.RESUME:
            self.generation += 1
        return self.generation

    @property
    def closed(self) -> bool:
        """Whether nothing begins any more."""
        return self.state is State.CLOSED

    @property
    def paused(self) -> bool:
        """Whether nothing begins before `RESUME`."""
        return self.state in (State.ENDING, State.PAUSED)

    @property
    def may_begin(self) -> bool:
        """Whether a stream may begin now."""
        return self.state is State.IDLE
