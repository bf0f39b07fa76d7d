"""What is logged, as it waits to be framed: rows, pieces of series, other events, and who wrote them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fleetlog_proto.v1 import event_pb2, frame_pb2


@dataclass(eq=False)
class Writer:
    """One process writing to one run or logged model: who it is, and the next sequence. Touched by the sender once it
    runs."""

    namespace: str
    run_id: bytes
    writer_id: bytes
    rank: int | None
    experiment: str
    started: event_pb2.RunStarted | None
    """What opens the run; None for a logged model, which needs no opening."""
    experiment_id: int | None = None
    is_given: bool = False
    """True if its id is the user's: another process may have used it before."""
    next_sequence: int = 1
    subject: frame_pb2.Subject.ValueType = frame_pb2.SUBJECT_UNSPECIFIED
    """What `run_id` names."""
    loss_reasons: set[str] = field(default_factory=set)
    """Reasons that losses were told under."""


@dataclass(slots=True)
class Row:
    """One step: values by key. Times are Unix milliseconds. Never changed.

    Not frozen: to make a frozen one takes three times as long, and the caller of `log` waits for it.
    """

    writer: Writer
    keys: tuple[str, ...]
    values: Sequence[float]
    step: int
    time_millis: int

    @property
    def points(self) -> int:
        """How many points."""
        return len(self.keys)

    @property
    def weight(self) -> int:
        """Bytes in memory, about."""
        return 220 + 32 * len(self.keys)


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of one series. Numpy arrays or lists; times may be None (all at `time_millis`)."""

    writer: Writer
    key: str
    steps: Any
    values: Any
    times: Any
    time_millis: int

    @property
    def points(self) -> int:
        """How many points."""
        return len(self.values)

    @property
    def weight(self) -> int:
        """Bytes in memory, about."""
        return 300 + 24 * len(self.values)


@dataclass(frozen=True, slots=True)
class Fact:
    """Any other event, without its sequence."""

    writer: Writer
    event: event_pb2.Event
    weight: int = 600
    points: ClassVar[int] = 0


@dataclass(eq=False)
class Loss:
    """What was lost of a writer, and why."""

    writer: Writer
    reason: str
    lost_points: int = 0
    lost_events: int = 0
    points: ClassVar[int] = 0
    weight: ClassVar[int] = 0


@dataclass(eq=False)
class Marker:
    """Set when everything that was put before it is durable or set aside."""

    reached: threading.Event = field(default_factory=threading.Event)
    points: ClassVar[int] = 0
    weight: ClassVar[int] = 0


Item = Row | Slice | Fact | Loss | Marker
