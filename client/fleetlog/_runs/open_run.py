"""What it takes to end a run: so much of it is held until it ends, also when nobody holds the Run any more."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Literal

from fleetlog_proto.v1 import event_pb2

from fleetlog._capture import recorder
from fleetlog._capture.recording import Recording
from fleetlog._delivery.delivery import Delivery
from fleetlog._events.items import Fact, Writer
from fleetlog._runs.run_clock import JUMP_SECONDS, RunClock

EndState = Literal["FINISHED", "FAILED", "KILLED"]
"""How a run ends."""
END_STATES: tuple[EndState, ...] = ("FINISHED", "FAILED", "KILLED")


@dataclass(eq=False, slots=True)
class OpenRun:
    """A run as one process writes it."""

    writer: Writer
    delivery: Delivery
    clock: RunClock
    opened_by: int = field(default_factory=os.getpid)
    """The process that opened it, which ends it; a forked child has another id."""
    opened_in: threading.Thread = field(default_factory=threading.current_thread)
    dropped: dict[str, int] = field(default_factory=dict)
    """Points that could not be taken as they were, by reason; told when the run ends."""
    ended: bool = False
    recording: Recording | None = None
    """What the run records by itself; None: nothing."""

    def drop(self, reason: str, points: int) -> None:
        """Count points that can't be taken."""
        self.dropped[reason] = self.dropped.get(reason, 0) + points

    def end(self, state: str, end_time_millis: int | None = None) -> None:
        """Put its end into the outbox, once."""
        if self.ended:
            return
        self.ended = True
        if self.recording is not None:
            recorder.end(self.recording)
        self.delivery.heartbeats.end(self.writer)
        outbox = self.delivery.outbox
        for reason, points in self.dropped.items():
            outbox.lose(self.writer, reason, points)
        now = self.clock.now_millis()
        if abs(jump := self.clock.jump_seconds()) > JUMP_SECONDS:
            self.delivery.warn(
                "clock",
                f"the clock of this machine was set by {jump:+,.0f} s while run {self.writer.run_id.hex()} went on;"
                " its times go on from its start",
            )
            outbox.lose(self.writer, "CLOCK_SET")
        finished = event_pb2.RunFinished(
            state=event_pb2.RunState.Value(f"RUN_STATE_{state}"),
            end_time_millis=now if end_time_millis is None else end_time_millis,
        )
        outbox.put(Fact(self.writer, event_pb2.Event(observe_time_millis=now, run_finished=finished)))

    def end_with_process(self, state: str) -> None:
        """See exits.Ending."""
        if self.opened_by == os.getpid():
            self.end(state)
