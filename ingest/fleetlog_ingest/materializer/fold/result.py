"""What a batch comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetlog_core.log.port import Record

from fleetlog_ingest.materializer.fold.state import State
from fleetlog_ingest.materializer.fold.tables import Columns

NOBODY = -1
"""The rank of a writer that has none."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can't be applied as a whole, and why."""

    record: Record
    reason: str


@dataclass(slots=True)
class Folded:
    """What a batch comes to: rows by table, in the order to insert them, and what became of the state."""

    tables: dict[str, Columns] = field(default_factory=dict)
    changes: State = field(default_factory=State)
    dead: list[DeadLetter] = field(default_factory=list)
    events: int = 0
    duplicates: int = 0
    points: int = 0
    gaps: int = 0
    """Events that are missing between sequences of a writer."""
    reused: int = 0
    """Events whose sequence another event of the writer had before."""
