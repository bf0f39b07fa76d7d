"""What a run knows of its writers that tell when they end, and the state that follows from it. Pure.

at work   opened the run or was heard of since its life began, and has not ended: the run is running
lost      was at work when RunLost came, and was not heard of since
ended     RunFinished came; the worst of the ends counts: FAILED, KILLED, LOST, FINISHED
silent    at work in a life of the run before this one: heard of again it is at work, and its end alone is none here

A life begins with the run, with RESUME, with a state that RunUpdated gives, and with an end that is told by a writer
that is none of these. States that are given stay (`fixed`), until a life begins.

Writers of clients that send no heartbeats are none of these: of a run with no others the last end in log order is its
state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from fleetlog_proto.v1 import event_pb2

ENDED = 1
"""Stands for a writer's time of work when it ended."""
_FIRST = 2
"""The time of offset 0."""
_WORST_FIRST = (
    int(event_pb2.RUN_STATE_FAILED), int(event_pb2.RUN_STATE_KILLED), int(event_pb2.RUN_STATE_LOST),
    int(event_pb2.RUN_STATE_FINISHED),
)  # fmt: skip


class Work(NamedTuple):
    """A writer that tells when it ends."""

    since: int
    """When it began to be at work, or was heard of again: offset + 2; 1 = it ended."""
    rank: int


def time_of(offset: int) -> int:
    """The time of a record, as writers and lives have it."""
    return offset + _FIRST


@dataclass(frozen=True, slots=True)
class Endings:
    """Kept with a run from its first writer that tells when it ends. Times are offsets + 2."""

    at_work: int = 0
    """Number of writers."""
    lost: int = 0
    life: int = 0
    """When this life began."""
    lost_at: int = 0
    """When writers were lost last in this life; 0 = never."""
    worst: int = 0
    """The worst end in this life, as RunState; 0 = there is none."""
    last_end: int = 0
    """The latest end in this life, Unix milliseconds."""
    fixed: bool = False

    def text(self) -> str:
        """As the table has it."""
        numbers = (self.at_work, self.lost, self.life, self.lost_at, self.worst, self.last_end, int(self.fixed))
        return " ".join(map(str, numbers))

    @classmethod
    def parse(cls, text: str) -> Endings | None:
        """Returns what `text` was made of; None when it is empty."""
        if not text:
            return None
        at_work, lost, life, lost_at, worst, last_end, fixed = map(int, text.split(" "))
        return cls(at_work, lost, life, lost_at, worst, last_end, fixed=bool(fixed))

    def is_at_work(self, since: int) -> bool:
        """True if a writer with that time is at work."""
        return since >= max(self.life, _FIRST) and since > self.lost_at

    def is_lost(self, since: int) -> bool:
        """True if a writer with that time is lost."""
        return max(self.life, _FIRST) <= since < self.lost_at

    def began_work(self, since: int) -> Endings:
        """A writer that is not at work begins, or is heard of again; `since` is its time before, 0 of a new one."""
        return replace(self, at_work=self.at_work + 1, lost=self.lost - int(self.is_lost(since)))

    def ended(self, since: int, state: int, end_time: int) -> Endings:
        """A writer ended in a state; `since` is its time before. One that is silent was not of this life."""
        if ENDED < since < self.life:
            return self
        return replace(
            self,
            at_work=self.at_work - int(self.is_at_work(since)),
            lost=self.lost - int(self.is_lost(since)),
            worst=worse(self.worst, state),
            last_end=max(self.last_end, end_time),
        )

    def lose(self, offset: int) -> Endings:
        """All that are at work are lost."""
        return replace(self, at_work=0, lost=self.lost + self.at_work, lost_at=time_of(offset))

    @property
    def state(self) -> int:
        """RunState that follows of the writers; 0 when nothing does."""
        if self.at_work:
            return int(event_pb2.RUN_STATE_RUNNING)
        return worse(self.worst, int(event_pb2.RUN_STATE_LOST)) if self.lost else self.worst


def worse(first: int, second: int) -> int:
    """The worse one of two ends; 0 is none."""
    for state in _WORST_FIRST:
        if state in (first, second):
            return state
    return 0


def new_life(offset: int, *, fixed: bool = False) -> Endings:
    """Nobody is at work, and nobody ended."""
    return Endings(life=time_of(offset), fixed=fixed)
