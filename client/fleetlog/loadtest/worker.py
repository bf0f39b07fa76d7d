"""One worker: a stream of its own, steps at a steady pace, and every answer noted in its ledger.

A stream that breaks is begun anew, and what has no answer is sent again, as the client does (_delivery/verdicts.py).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from fleetlog_proto.v1 import ingest_pb2

from fleetlog._delivery import heartbeats
from fleetlog._delivery.delivery import BACKOFF_SECONDS, SILENCE_SECONDS
from fleetlog._delivery.verdicts import Said, Then, mismatch_of, said_by, then
from fleetlog.errors import FleetlogError, from_call, from_status
from fleetlog.loadtest.frames import Frames, SentFrame, files_of, refused_steps
from fleetlog.loadtest.ledger import Ledger
from fleetlog.loadtest.profile import Profile
from fleetlog.loadtest.schedule import Place, due
from fleetlog.loadtest.tally import Acknowledged, Tally

Stream = Any
"""A stream of grpc.aio, whose generic type is known to type checkers alone."""
IN_FLIGHT = 64
"""Maximum of frames without an answer: what is due meanwhile goes together into the next one."""
STEPS_AT_ONCE = 1_000
_jitter = random.Random()  # noqa: S311 - no secret


@dataclass
class Load:
    """What all workers of a process share."""

    profile: Profile
    tally: Tally
    target: str
    begun: float
    """When the load begins, by the tally's clock."""
    stopping: asyncio.Event
    """Set when nothing more is to be logged."""


class NotNow(Exception):
    """An answer, or none for long, that asks for a new stream."""

    def __init__(self, error: FleetlogError) -> None:
        super().__init__(error.message)
        self.error = error


class Worker:
    """One writer of one run. `ledger` has what it was told."""

    def __init__(self, load: Load, place: Place, frames: Frames, stub: Any, metadata: Any) -> None:
        self.place, self.writer = place, frames.writer
        self.ledger = Ledger()
        self._load, self._frames, self._stub, self._metadata = load, frames, stub, metadata
        self._in_flight: deque[SentFrame] = deque()
        self._unsent = 0
        """How many of them, the last ones, the stream there is has not sent yet."""
        self._next_step = 0
        self._opened = self._ended = False
        self._heard = self._spoke = 0.0
        self._quiet_seconds = heartbeats.QUIET_SECONDS
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look whether it is to end: what was waited for may be far ahead."""
        self._changed.set()

    async def run(self) -> None:
        """Start when it is time, log until it is over, and wait for the last answer."""
        load = self._load
        load.tally.report.workers += 1
        if await _set_within(load.stopping, load.begun + self.place.starts - load.tally.clock()):
            self._ended = True
            return
        load.tally.working += 1
        attempt = 0
        try:
            while not (self._ended and not self._in_flight):
                before, pause = self.ledger.durable_steps, 0.0
                try:
                    await self._stream()
                except (grpc.RpcError, NotNow) as error:
                    pause = self._broken(error)
                if self.ledger.durable_steps > before:
                    attempt = 0
                if self._in_flight or not self._ended:
                    low, high = BACKOFF_SECONDS
                    await asyncio.sleep(max(min(high, low * 2**attempt) * _jitter.uniform(0.5, 1.0), pause))
                    attempt = min(attempt + 1, 10)
        finally:
            load.tally.working -= 1

    def _broken(self, error: grpc.RpcError | NotNow) -> float:
        """A stream ended by an error; seconds that the server asks us to wait."""
        told = error.error if isinstance(error, NotNow) else from_call(error, self._load.target)
        head = self._in_flight[0] if self._in_flight else None
        if isinstance(error, grpc.RpcError) and head is not None and said_by(told) is not Said.NOT_NOW:
            if then(Said.STREAM_REFUSED, head.refused_streams) is Then.SET_ASIDE:
                self.ledger.note_refused(self._in_flight.popleft().steps)
            head.refused_streams += 1
        report = self._load.tally.report
        report.broken_streams += 1
        report.problem(f"{told.reason}: {told.message}")
        return told.retry_after_seconds or 0.0

    async def _stream(self) -> None:
        """One stream, until everything is said and answered. RpcError, NotNow."""
        stream = self._stub.AppendEvents(metadata=self._metadata() or None)
        self._unsent = len(self._in_flight)
        self._heard = self._load.tally.clock()
        reading = asyncio.create_task(self._read(stream))
        try:
            while not (self._ended and not self._in_flight):
                if reading.done():
                    reading.result()
                    raise NotNow(FleetlogError("STREAM_ENDED", "the server ended a stream before it was over"))
                try:
                    if not await self._speak(stream):
                        await self._rest(reading)
                except asyncio.InvalidStateError:
                    # What gRPC raises for a write to a stream that has ended: the reader knows why.
                    await reading
        finally:
            stream.cancel()
            reading.cancel()
            with suppress(asyncio.CancelledError, grpc.RpcError, NotNow):
                await reading

    async def _speak(self, stream: Stream) -> bool:
        """Send what is to be sent now; False when that is nothing."""
        clock = self._load.tally.clock
        if not self._unsent and len(self._in_flight) < IN_FLIGHT:
            self._make()
        if self._unsent:
            for sent in list(self._in_flight)[-self._unsent :]:
                await self._write(stream, sent)
                self._unsent -= 1
            return True
        if self._opened and not self._ended and clock() - self._spoke >= self._quiet_seconds:
            beat = SentFrame(None, range(0), clock())
            self._in_flight.append(beat)
            await self._write(stream, beat)
            return True
        return False

    def _make(self) -> None:
        """Frames of what is due."""
        load, now_millis = self._load, time.time_ns() // 1_000_000
        now = load.tally.clock() - load.begun
        if not self._opened:
            self._opened = True
            made = list(self._frames.opening(now_millis))
        elif self._ended:
            return
        elif load.stopping.is_set() or self._due(self._next_step) == float("inf"):
            self._ended = True
            made = list(self._frames.ending(now_millis))
        else:
            last = self._next_step
            while last - self._next_step < STEPS_AT_ONCE and self._due(last) <= now:
                last += 1
            if last == self._next_step:
                return
            steps = range(self._next_step, last)
            self._next_step = last
            made = list(self._frames.of(steps, now_millis))
            self.ledger.note_sent(steps)
            load.tally.report.sent_points += len(steps) * load.profile.metrics
            for step in steps:
                load.tally.report.behind_schedule.add(now - self._due(step))
        for sent in made:
            sent.sent_at = load.tally.clock()
            self._in_flight.append(sent)
        self._unsent += len(made)

    async def _write(self, stream: Stream, sent: SentFrame) -> None:
        if sent.frame is None:
            request = heartbeats.request_of([self.writer])
        else:
            request = ingest_pb2.AppendEventsRequest(frame=sent.frame)
        self._spoke = self._load.tally.clock()
        await stream.write(request)

    async def _rest(self, reading: asyncio.Task[None]) -> None:
        """Until something is due, or was answered. NotNow: the server owes an answer for too long."""
        clock = self._load.tally.clock
        now = clock()
        until = self._spoke + self._quiet_seconds
        until += heartbeats.seconds_to_look(time.time() + until - now)
        if not self._ended and len(self._in_flight) < IN_FLIGHT:
            until = min(until, self._load.begun + self._due(self._next_step))
        if self._in_flight:
            silent = max(self._heard, self._in_flight[0].sent_at) + SILENCE_SECONDS
            if now >= silent:
                raise NotNow(FleetlogError("SILENT", f"no answer for {SILENCE_SECONDS:.0f} s"))
            until = min(until, silent)
        if await _set_within(self._changed, until - now):
            self._changed.clear()
        if reading.done():
            reading.result()

    async def _read(self, stream: Stream) -> None:
        """Take answers as long as there are any. RpcError, NotNow."""
        try:
            while (answer := await stream.read()) is not grpc.aio.EOF:
                self._take(answer)
        finally:
            self._changed.set()

    def _take(self, answer: ingest_pb2.AppendEventsResponse) -> None:
        """One answer: it is of the first frame that has none."""
        now = self._heard = self._load.tally.clock()
        self._quiet_seconds = answer.heartbeat_seconds or self._quiet_seconds
        if not self._in_flight:
            raise NotNow(FleetlogError("ANSWER_MISMATCH", "the server answered what was not asked"))
        sent = self._in_flight[0]
        if sent.frame is not None:
            if (wrong := mismatch_of(sent.frame, answer)) is not None:
                raise NotNow(wrong)
            error = from_status(answer.status) if answer.HasField("status") else None
            next_state = then(said_by(error), sent.refused_streams)
            sent.refused_streams += said_by(error) is Said.GAP
            if error is not None and next_state is not Then.SET_ASIDE:
                raise NotNow(error)
            self._settle(sent, answer, error, now)
        self._in_flight.popleft()
        if (self._ended and not self._in_flight) or len(self._in_flight) == IN_FLIGHT - 1:
            self._changed.set()

    def _settle(
        self, sent: SentFrame, answer: ingest_pb2.AppendEventsResponse, error: FleetlogError | None, now: float
    ) -> None:
        """What was said of a frame, noted."""
        load, report = self._load, self._load.tally.report
        if error is not None:
            self.ledger.note_refused(sent.steps)
            report.problem(f"{error.reason}: {error.message}")
            return
        for refusal in answer.refusals:
            one = from_status(refusal.status)
            report.problem(f"{one.reason}: {one.message}")
        taken = sent.steps.start
        for refused in [*refused_steps(sent, answer), range(sent.steps.stop, sent.steps.stop)]:
            self.ledger.note_durable(range(taken, refused.start))
            self.ledger.note_refused(refused)
            taken = refused.stop
        self.ledger.files |= files_of(sent, answer)
        if sent.is_opening:
            report.opened.add(now - load.begun - self.place.starts)
        points = len(sent.steps) * load.profile.metrics
        for step in sent.steps:
            report.acknowledged.add(now - load.begun - self._due(step))
            report.answered.add(now - sent.sent_at)
        if sent.steps:
            last = Acknowledged(self.writer.run_id, self.place.rank, sent.steps.stop - 1, now, answer.position)
            load.tally.acknowledged(answer.position, last, points)

    def _due(self, step: int) -> float:
        return due(self._load.profile, self.place, step)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """True if it is set, now or within that time."""
    if seconds <= 0:
        # Others have a turn, however late it is.
        await asyncio.sleep(0)
        return event.is_set()
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), None if seconds == float("inf") else seconds)
    return event.is_set()
