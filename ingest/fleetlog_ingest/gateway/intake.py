"""The frames of one stream, one after another: what each inherits, whether the log may have it, and its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from fleetlog_core.errors import FleetlogError, InvalidArgument
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.appender import Appender
from fleetlog_core.log.port import EVENTS, EventLog, Record
from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.serving.status import to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.admission import Admission
from fleetlog_ingest.gateway.keys import StreamKeys
from fleetlog_ingest.gateway.quotas import StoredUse
from fleetlog_ingest.gateway.run_watch import Found
from fleetlog_ingest.gateway.runs import RunKey
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.gateway.sequences import StreamWriter, StreamWriters, WriterKey, check_follows, digest_of

TURNED_AWAY = 10_000
"""Runs for which there was no room that a stream remembers."""
IDLE_SECONDS = 30.0
"""Age of what is known of a run, after which a frame waits for a look at it."""
_KEEPS_PLACE = frozenset({"SEQUENCE_GAP", "SEQUENCE_REUSED", "SEQUENCE_INVALID"})
"""Reasons of refusals after which the sequences of the frame are still to come."""


@dataclass(slots=True)
class Taken:
    """A frame on its way into the log, or refused: then only its answer is there.

    Not the frame itself: it is in the log's buffer, which is bounded, and while the log does not answer, the frames
    of streams that ended would be memory that nobody counts.
    """

    answer: ingest_pb2.AppendEventsResponse
    durable: Future[Record] | None = None
    size: int = 0
    """Bytes of its record: the log's buffer has them until it is durable, and its future as long as that is kept."""
    events: int = 0
    points: int = 0
    reasons: Sequence[str] = ()
    """Reasons of its events that were refused."""


class Intake:
    """What frames inherit from those before them, and what is known of their runs and writers."""

    def __init__(
        self,
        log: EventLog,
        admission: Admission,
        telemetry: Telemetry,
        run_limits: RunLimits | None = None,
        stored: StoredUse | None = None,
    ) -> None:
        """`stored`: what quotas are held against; None = there are none."""
        self._stored = stored
        self._turned_away: dict[RunKey, float] = {}
        """Runs for which there was no room, and when that was found."""
        self._appender = Appender(log)
        self._admission = admission
        self._watch = admission.watch
        self._again_seconds = admission.watch.again_seconds
        self._telemetry = telemetry
        self._names: tuple[str, bytes, bytes, int | None, frame_pb2.Subject.ValueType] | None = None
        self._writers = StreamWriters()
        self._ahead: Sequence[frame_pb2.Frame] = ()
        """Frames of the request at hand, until runs were asked about for all of them."""
        self._asked: dict[RunKey, asyncio.Future[Found] | None] = {}
        """Runs of the request at hand that are new to the stream, and what was asked of those that need it."""
        self._keys = StreamKeys(run_limits, stored=stored)

    def forget_names(self) -> None:
        """Whose the last frames were is not known, so the next one must say whose it is."""
        self._names = None
        self._writers.forget()

    async def take(self, frames: Sequence[frame_pb2.Frame]) -> list[Taken]:
        """Give the frames of a request to the log, or refuse them. Errors that are not a frame's are raised.

        When a frame before them failed, and its client has not heard of that yet, what they are given has failed too.
        """
        self._ahead = frames
        self._asked.clear()
        try:
            return [await self._take(frame) for frame in frames]
        finally:
            self._ahead = ()

    async def _take(self, frame: frame_pb2.Frame) -> Taken:
        try:
            self._inherit(frame)
            if self._stored is not None:
                await self._stored.know(frame.namespace)
            millis = time.time_ns() // 1_000_000
            screened = screen(frame, millis, self._keys)
            value = encoded(frame)
            names = (frame.namespace, frame.run_id, frame.writer_id)
            first, events = frame.events[0].sequence, len(frame.events)
            digest = digest_of(value, millis)
            writer = self._writers.get(names)
            if writer is None:
                writer = await self._open(names, frame)
            else:
                check_follows(writer, first, first + events - 1, digest)
                if not _is_of_model(frame) and (
                    time.monotonic() - writer.looked_at > self._again_seconds or self._watch.was_deleted(names[:2])
                ):
                    await self._look_again(writer, names[:2], frame)
        except FleetlogError as error:
            return self._refused(frame, error)
        last = first + events - 1
        done = self._appender.append(EVENTS, names[1], value)
        writer.took(first, last, digest)
        answer = ingest_pb2.AppendEventsResponse(run_id=names[1], writer_id=names[2], durable_sequence=last)
        if not screened.refused:
            return Taken(answer, done, len(value), events, screened.points)
        for sequence, refused in screened.refused:
            answer.refusals.add(sequence=sequence, status=to_status(refused))
        reasons = [refused.reason for _, refused in screened.refused]
        return Taken(answer, done, len(value), events, screened.points, reasons)

    def _refused(self, frame: frame_pb2.Frame, error: FleetlogError) -> Taken:
        self._telemetry.refused.labels(error.reason).inc()
        writer = self._writers.get((frame.namespace, frame.run_id, frame.writer_id))
        if writer is not None and frame.events and error.reason not in _KEEPS_PLACE:
            # Its client sets it aside and counts on.
            writer.refused(frame.events[-1].sequence)
        answer = ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id, writer_id=frame.writer_id, status=to_status(error)
        )
        return Taken(answer)

    def _inherit(self, frame: frame_pb2.Frame) -> None:
        """A frame without ids means those of the frame before it."""
        if frame.run_id or frame.writer_id:
            rank = frame.rank if frame.HasField("rank") else None
            self._names = (frame.namespace, frame.run_id, frame.writer_id, rank, frame.subject)
        elif self._names is None:
            raise InvalidArgument.of_field(
                "INVALID_ID", "frame.run_id", "the first frame of a stream names run and writer"
            )
        else:
            frame.namespace, frame.run_id, frame.writer_id, rank, frame.subject = self._names
            if rank is not None:
                frame.rank = rank

    async def _open(self, names: WriterKey, frame: frame_pb2.Frame) -> StreamWriter:
        """A writer that is new to the stream, if its run takes the frame. FailedPrecondition."""
        if _is_of_model(frame):
            # Models have no end, and what comes of one that is deleted does no harm.
            return self._writers.add(names, time.monotonic())
        self._foresee()
        key = names[:2]
        asked = self._asked.get(key)
        if asked is not None or (key not in self._asked and self._admission.needs_look(frame)):
            await self._admission.check(frame, at_work=False, asked=asked)
        if self._stored is not None:
            await self._check_room(self._stored, key, frame)
        return self._writers.add(names, time.monotonic())

    async def _check_room(self, stored: StoredUse, key: RunKey, frame: frame_pb2.Frame) -> None:
        """Whether the run is there, or the namespace has room for it. ResourceExhausted STORED_RUNS.

        It is refused as a whole: a frame behind its first one would make a run that nobody started.
        """
        if not stored.has_no_room(key[0]):
            self._turned_away.pop(key, None)
            if self._admission.is_fresh(frame):
                await stored.admit_runs(key[0], 1)
            return
        now = time.monotonic()
        if now - self._turned_away.get(key, float("-inf")) > self._again_seconds:
            if await self._admission.is_there(key):
                return
            if len(self._turned_away) >= TURNED_AWAY:
                self._turned_away.clear()
            self._turned_away[key] = now
        raise stored.no_room(key[0])

    def _foresee(self) -> None:
        """Runs that are to be looked up for the request at hand are asked about all at once."""
        frames, self._ahead = self._ahead, ()
        before = b""
        for frame in frames:
            if frame.run_id == before or _is_of_model(frame):
                continue
            before = frame.run_id
            key = (frame.namespace or DEFAULT_NAMESPACE, before)
            if len(before) != ID_BYTES or not frame.events or key in self._asked:
                continue
            if self._writers.get((*key, frame.writer_id)) is None:
                self._asked[key] = self._watch.ask(key) if self._admission.needs_look(frame) else None

    async def _look_again(self, writer: StreamWriter, key: RunKey, frame: frame_pb2.Frame) -> None:
        """Whether the run of a writer at work still takes its frames. FailedPrecondition."""
        now = time.monotonic()
        if now - writer.looked_at > IDLE_SECONDS or self._watch.was_deleted(key):
            await self._admission.check(frame, at_work=True)
        else:
            self._watch.look_again(key)
        writer.looked_at = now


def _is_of_model(frame: frame_pb2.Frame) -> bool:
    return frame.subject == frame_pb2.SUBJECT_MODEL
