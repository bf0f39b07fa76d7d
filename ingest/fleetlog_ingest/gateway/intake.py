"""The frames of one stream, one after another: what each inherits, whether the log may have it, and its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from fleetlog_core.errors import FleetlogError, InvalidArgument
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.appender import Appender
from fleetlog_core.log.port import EVENTS, EventLog, LogUnavailable, Record
from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.serving.status import to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.admission import Admission
from fleetlog_ingest.gateway.keys import StreamKeys
from fleetlog_ingest.gateway.run_watch import Found
from fleetlog_ingest.gateway.runs import RunKey
from fleetlog_ingest.gateway.screen import encoded, screen
from fleetlog_ingest.gateway.sequences import StreamWriter, StreamWriters, check_follows, digest_of, note_answered

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
    """Of those of its events that were refused."""


class Intake:
    """What frames inherit from those before them, and what is known of their runs and writers."""

    def __init__(
        self, log: EventLog, admission: Admission, telemetry: Telemetry, run_limits: RunLimits | None = None
    ) -> None:
        self._appender = Appender(log)
        self._admission = admission
        self._telemetry = telemetry
        self._names: tuple[str, bytes, bytes, int | None] | None = None
        self._writers = StreamWriters()
        self._asked: dict[RunKey, asyncio.Future[Found] | None] = {}
        """Runs of the request at hand that are new to the stream, and what was asked of those that need it."""
        self._keys = StreamKeys(run_limits)

    def forget_names(self) -> None:
        """Whose the last frames were is not known, so the next one must say whose it is."""
        self._names = None
        self._writers.forget()

    def foresee(self, frames: Iterable[frame_pb2.Frame]) -> None:
        """These are taken next: runs that are to be looked up for them are asked about all at once."""
        self._asked.clear()
        before = b""
        for frame in frames:
            if frame.run_id == before:
                continue
            before = frame.run_id
            key = (frame.namespace or DEFAULT_NAMESPACE, before)
            if len(before) != ID_BYTES or not frame.events or key in self._asked:
                continue
            if self._writers.get((*key, frame.writer_id)) is None:
                self._asked[key] = self._admission.watch.ask(key) if self._admission.needs_look(frame) else None

    async def take(self, frame: frame_pb2.Frame) -> Taken:
        """Give the frame to the log, or refuse it. Errors that are not the frame's are raised.

        LogUnavailable: a frame before it failed, and its client has not heard of that yet. The stream ends with it,
        after the answers to the frames before.
        """
        try:
            self._inherit(frame)
            screened = screen(frame, time.time_ns() // 1_000_000, self._keys)
            value = encoded(frame)
            digest = digest_of(frame, value)
            writer = await self._admit(frame, digest)
        except FleetlogError as error:
            return self._refused(frame, error)
        done = self._appender.append(EVENTS, frame.run_id, value)
        if done.done() and isinstance(failed := done.exception(), LogUnavailable):
            raise failed
        note_answered(writer, frame, digest)
        answer = ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id, writer_id=frame.writer_id, durable_sequence=frame.events[-1].sequence
        )
        for sequence, refused in screened.refused:
            answer.refusals.add(sequence=sequence, status=to_status(refused))
        reasons = [refused.reason for _, refused in screened.refused]
        return Taken(answer, done, len(value), len(frame.events), screened.points, reasons)

    def _refused(self, frame: frame_pb2.Frame, error: FleetlogError) -> Taken:
        self._telemetry.refused.labels(error.reason).inc()
        writer = self._writers.get((frame.namespace, frame.run_id, frame.writer_id))
        if writer is not None and frame.events and error.reason not in _KEEPS_PLACE:
            # Its client sets it aside and counts on.
            note_answered(writer, frame)
        answer = ingest_pb2.AppendEventsResponse(
            run_id=frame.run_id, writer_id=frame.writer_id, status=to_status(error)
        )
        return Taken(answer)

    def _inherit(self, frame: frame_pb2.Frame) -> None:
        """A frame without ids means those of the frame before it."""
        if frame.run_id or frame.writer_id:
            rank = frame.rank if frame.HasField("rank") else None
            self._names = (frame.namespace, frame.run_id, frame.writer_id, rank)
        elif self._names is None:
            raise InvalidArgument.of_field(
                "INVALID_ID", "frame.run_id", "the first frame of a stream names run and writer"
            )
        else:
            frame.namespace, frame.run_id, frame.writer_id, rank = self._names
            if rank is not None:
                frame.rank = rank

    async def _admit(self, frame: frame_pb2.Frame, digest: int) -> StreamWriter:
        """Whether the frame follows, and its run takes it. OutOfRange, FailedPrecondition."""
        watch, now = self._admission.watch, time.monotonic()
        key, names = (frame.namespace, frame.run_id), (frame.namespace, frame.run_id, frame.writer_id)
        writer = self._writers.get(names)
        if writer is None:
            asked = self._asked.get(key)
            if asked is not None or (key not in self._asked and self._admission.needs_look(frame)):
                await self._admission.check(frame, at_work=False, asked=asked)
            return self._writers.add(names, now)
        check_follows(writer, frame, digest)
        age = now - writer.looked_at
        if age > IDLE_SECONDS or watch.was_deleted(key):
            await self._admission.check(frame, at_work=True)
            writer.looked_at = now
        elif age > watch.again_seconds:
            watch.look_again(key)
            writer.looked_at = now
        return writer
