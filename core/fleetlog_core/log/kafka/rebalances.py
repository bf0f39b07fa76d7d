"""What a rebalance means to a member: which partitions stayed without interruption, which are gone, which are new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleetlog_core.log.port import Partition


@dataclass(frozen=True, slots=True)
class Lost:
    """The member fell out of the group; others may have had its partitions since."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The member's partitions in a generation of the group. Generations count up by one."""

    partitions: frozenset[Partition]
    generation: int


@dataclass(frozen=True, slots=True)
class Membership:
    """The partitions of a member, and the generation that gave them; None = since then it fell out."""

    partitions: frozenset[Partition] = frozenset()
    generation: int | None = None


def follow(before: Membership, events: Iterable[Lost | Assigned]) -> tuple[Membership, frozenset[Partition]]:
    """The membership after the events, and the partitions that nobody else can have had meanwhile.

    Only from one generation to the very next one is that sure. A partition that went to another member and came back
    looks the same as one that stayed, but its records may have been worked on, so it counts as new.
    """
    kept = before.partitions
    now = before
    for event in events:
        if isinstance(event, Lost):
            now = Membership()
            kept = frozenset()
        else:
            next_one = now.generation is not None and event.generation == now.generation + 1
            kept = kept & event.partitions if next_one else frozenset()
            now = Membership(event.partitions, event.generation)
    return now, kept
