"""What must hold in every world, looked at whenever something happens.

1  an event that was acknowledged is visible, once
2  any other event is visible once at most, and none that nobody wrote
3  the log has each writer's events in their order
4  a read with a position sees at least what is before it
5  a session's reads never see less than its earlier ones
6  tables that are folded from the log anew are the same
7  what is refused, lost or unreadable is counted

What must hold of names is in names_oracle.py.

Each point of a world has a value of its own, by which it is told from all others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fleetlog_core.log.port import CONTROL, DEAD_LETTERS, EVENTS, Partition, Record
from fleetlog_proto.v1 import event_pb2, frame_pb2
from google.protobuf.message import DecodeError

from simulation.kernel import Kernel
from simulation.names_oracle import NamesOracle
from simulation.tables import Row

WriterId = tuple[bytes, bytes]


@dataclass(slots=True)
class Held:
    """What one record holds that is new: values of its points, and what its run is to be told."""

    values: list[float] = field(default_factory=list)
    told: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    """Events of which the run has to tell a problem."""
    is_poison: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """A point as it was handed to the product, and the number of its trainer."""

    trainer: int
    run_id: bytes
    key: str
    step: int


class Oracle:
    """The oracle of one world."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.put: dict[float, Put] = {}
        """Values that were handed to the product."""
        self.refused: set[float] = set()
        """Values of them that the warehouse can't hold."""
        self.bad: set[float] = set()
        """Values of them that no server takes."""
        self.local: set[float] = set()
        """Values that were promised to be on a disk, or in the log."""
        self.durable: set[float] = set()
        """Values that were promised to be in the log."""
        self.told: set[float] = set()
        """Values of which their trainer was told that they are refused or lost."""
        self.visible: set[float] = set()
        self._in_log: set[float] = set()
        self._last: dict[WriterId, int] = {}
        self.may_lack = False
        """True if a disk loses something, so that a writer's sequences may have a gap."""
        self._gaps: set[tuple[bytes, bytes, int]] = set()
        """Events that the log lacks before later ones of their writer."""
        self._set_aside: set[tuple[bytes, bytes, int]] = set()
        """Events of frames of which their trainer was told that they are refused: later ones may be taken again."""
        self._problems: dict[tuple[bytes, bytes, int, str], int] = {}
        """Points by run, writer, sequence and reason."""
        self._problem_events: set[tuple[bytes, bytes, int]] = set()
        self._held: dict[Partition, list[Held]] = {}
        self._applied: dict[Partition, int] = {}
        self._dead: set[str] = set()
        self.checks = 0
        self.names = NamesOracle(self._must)

    def _must(self, holds: bool, what: str) -> None:
        self.checks += 1
        if not holds:
            self._kernel.broke(what)

    # -- the log

    def logged(self, record: Record) -> None:
        """The log has one more record."""
        if record.partition.topic == CONTROL:
            self.names.logged(record)
        if record.partition.topic == DEAD_LETTERS:
            self._dead.add(record.key.split(b" ")[0].decode())
        if record.partition.topic != EVENTS:
            return
        held = Held()
        self._held.setdefault(record.partition, []).append(held)
        try:
            frame = frame_pb2.Frame.FromString(record.value)
        except DecodeError:
            held.is_poison = True
            return
        for event in frame.events:
            if event.HasField("writers_heard") or event.HasField("run_lost"):
                return
            self._event(held, (frame.run_id, frame.writer_id), event)

    def _event(self, held: Held, writer: WriterId, event: event_pb2.Event) -> None:
        last = self._last.get(writer, 0)
        values = values_of(event)
        if event.sequence <= last:
            new = [value for value in values if value not in self._in_log]
            self._must(not new, f"{new} of {name_of(writer)} come behind what was logged later (3)")
            return
        if event.sequence != last + 1:
            if not self.may_lack:
                self._gaps.update((*writer, sequence) for sequence in range(last + 1, event.sequence))
            held.told.append((*writer, event.sequence))
        self._last[writer] = event.sequence
        held.values += values
        self._in_log.update(values)
        if event.HasField("event_refused"):
            held.told.append((*writer, event.sequence))

    # -- the tables

    def inserted(self, table: str, rows: Sequence[Row]) -> None:
        """Rows are visible."""
        if table == "points":
            for row in rows:
                self._shown(row)
        elif table == "problems":
            for row in rows:
                event = (row["run_id"], row["writer_id"], row["sequence"])
                self._problem_events.add(event)
                self._problems[(*event, row["reason"])] = row["points"]
        elif table == "applied":
            for row in rows:
                if row["topic"] == EVENTS:
                    self._reached(Partition(EVENTS, row["part"]), row["next_offset"])
                else:
                    self.names.reached(row["next_offset"])
        else:
            self.names.inserted(table, rows)

    def _shown(self, row: Row) -> None:
        value: float = row["value"]
        put = self.put.get(value)
        found = None if put is None else Put(put.trainer, row["run_id"], row["key"], row["step"])
        self._must(found is not None and found == put, f"{value} is visible as {found}, and was written as {put} (2)")
        self._must(value not in self.bad, f"{value} is visible, and was to be refused (7)")
        self._must(value not in self.refused, f"{value} is visible, and can't be held (7)")
        self._must(value not in self.visible, f"{value} is visible twice (1, 2)")
        self._must(value in self._in_log, f"{value} is visible, and the log does not have it (6)")
        self.visible.add(value)

    def _reached(self, partition: Partition, next_offset: int) -> None:
        """All before an offset is said to be applied: then it is visible, or counted."""
        held = self._held.get(partition, [])
        self._must(next_offset <= len(held), f"{partition} is applied up to {next_offset}, beyond its end (6)")
        for offset in range(self._applied.get(partition, 0), min(next_offset, len(held))):
            one = held[offset]
            if not self.refused.isdisjoint(one.values):
                # The record is one that can't be applied: all of it, and its run is told.
                self.told.update(value for value in one.values if value not in self.visible)
                one.is_poison = True
            missing = [value for value in one.values if value not in self.visible and value not in self.told]
            self._must(not missing, f"{partition}@{offset} is applied, and {missing} are not visible (1)")
            unheard = [event for event in one.told if event not in self._problem_events]
            self._must(not unheard, f"{partition}@{offset} has refused or lost events that nobody is told of (7)")
            dead = not one.is_poison or f"{partition}@{offset}" in self._dead
            self._must(dead, f"{partition}@{offset} is unreadable, and no dead letter tells it (7)")
        self._applied[partition] = max(next_offset, self._applied.get(partition, 0))

    # -- the clients

    def hands_over(self, values: Mapping[float, Put], *, bad: bool) -> None:
        """A trainer is about to log these."""
        self.put.update(values)
        if bad:
            self.bad.update(values)

    def promised(self, values: Iterable[float]) -> None:
        """A trainer was told that these are safe on its disk."""
        self.local.update(values)

    def set_aside(self, frame: frame_pb2.Frame) -> None:
        """A trainer was told that a frame of its is refused."""
        self.told.update(value for event in frame.events for value in values_of(event))
        self._set_aside.update((frame.run_id, frame.writer_id, event.sequence) for event in frame.events)

    def acknowledged(self, frames: Iterable[frame_pb2.Frame]) -> None:
        """A trainer was told that these are durable, unless it was told that they are refused."""
        for frame in frames:
            for event in frame.events:
                for value in values_of(event):
                    if value in self.told or value in self.bad:
                        continue
                    self._must(value in self._in_log, f"{value} is acknowledged, and not in the log (1)")
                    self.durable.add(value)

    def read(self, session: set[float], asked: Collection[float], found: set[float]) -> None:
        """A session read `found` with a position behind `asked`."""
        lacks = set(asked) - found - self.told
        self._must(not lacks, f"a read with a position lacks {lacks} (4)")
        self._must(found >= session, f"a read lacks {session - found}, which one before it had (5)")
        session |= found

    # -- the end

    def told_points(self, writer: WriterId, reason: str) -> int:
        """Points that a run is told of, by a writer and a reason."""
        return sum(points for (*of, _, why), points in self._problems.items() if (tuple(of), why) == (writer, reason))

    def settle(self, delivered: Collection[int]) -> None:
        """Everything is whole, and nothing on its way. `delivered`: trainers whose own flush said so."""
        for run_id, writer_id, sequence in sorted(self._gaps):
            self._must(
                (run_id, writer_id, sequence) in self._set_aside,
                f"the log lacks {sequence} of {name_of((run_id, writer_id))}, and nothing was lost or refused (3)",
            )
        for value, put in self.put.items():
            if value in self.visible or value in self.told or value in self.bad:
                continue
            self._must(value not in self.durable, f"{value} was acknowledged, and is not visible (1)")
            self._must(value not in self.local, f"{value} was safe on a disk, and is not visible (1)")
            self._must(
                put.trainer not in delivered,
                f"{value} is lost, and its trainer was told that all is delivered (7)",
            )

    def same(self, what: str, live: object, anew: object) -> None:
        """Tables that are folded anew are the same."""
        self._must(live == anew, f"{what} differ when they are folded from the log anew (6)")


def name_of(writer: WriterId) -> str:
    """A writer in words."""
    return f"writer {writer[1].hex()[:8]}"


def values_of(event: event_pb2.Event) -> list[float]:
    """Values of the points of an event."""
    return [value for column in event.metrics_logged.columns for value in column.values]
