"""AppendEvents: requests of frames in, the frames' fates out, in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument, ResourceExhausted, Unavailable
from fleetlog_core.limits import FRAMES_PER_REQUEST, REQUEST_BYTES, RunLimits
from fleetlog_core.log.port import EventLog, Partition, RecordTooLarge
from fleetlog_core.position import to_proto
from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.serving.errors import refuse_undecodable
from fleetlog_core.serving.status import to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import ingest_pb2

from fleetlog_ingest.gateway.admission import Admission
from fleetlog_ingest.gateway.allowance import Allowance
from fleetlog_ingest.gateway.backlog import Backlog
from fleetlog_ingest.gateway.heartbeats import Heartbeats
from fleetlog_ingest.gateway.intake import Intake, Taken
from fleetlog_ingest.gateway.quotas import StoredUse

REQUESTS_IN_FLIGHT = 64
"""Requests of one stream that wait for the log or for their client: enough for one commit to take many."""
BYTES_IN_FLIGHT = 32 * 1024 * 1024
"""Bytes of their records, and one request more, whatever its size: more than a log takes in one go."""

NAMESPACES_TOLD = 100
"""Maximum of namespaces of a stream that are remembered; what is to be said of others is said with each answer."""


@dataclass(slots=True)
class _Request:
    """What became of a request's frames, in order."""

    taken: Sequence[Taken]
    began: float

    def size(self) -> int:
        """Bytes that it has in the log."""
        return sum(taken.size for taken in self.taken)


@dataclass(slots=True)
class _Reached:
    """What the log has of a request in one partition."""

    next_offset: int
    size: int


class AppendStream:
    """One stream: what waits for the log, and is answered in order."""

    def __init__(
        self,
        log: EventLog,
        admission: Admission,
        telemetry: Telemetry,
        draining: asyncio.Event,
        run_limits: RunLimits | None = None,
        backlog: Backlog | None = None,
        heartbeats: Heartbeats | None = None,
        stored: StoredUse | None = None,
    ) -> None:
        self._heartbeats = heartbeats
        self._told: set[str] = set()
        """Namespaces of which the stream's client knows for how long writers may be quiet."""
        self._backlog = backlog
        self._number = 0 if backlog is None else backlog.stream()
        self._telemetry = telemetry
        self._draining = draining
        self._intake = Intake(log, admission, telemetry, run_limits, stored)
        self._allowance = Allowance(BYTES_IN_FLIGHT)

    async def responses(
        self, requests: AsyncIterator[ingest_pb2.AppendEventsRequest]
    ) -> AsyncIterator[ingest_pb2.AppendEventsResponse]:
        """One response a request. Unavailable DRAINING, after what was taken is answered, when the gateway stops."""
        waiting: asyncio.Queue[_Request | BaseException | None] = asyncio.Queue(REQUESTS_IN_FLIGHT)
        reader = asyncio.create_task(self._read(requests, waiting))
        drainer = asyncio.create_task(self._drain(reader, waiting))
        try:
            while True:
                request = await waiting.get()
                if request is None:
                    return
                if isinstance(request, BaseException):
                    raise request
                size = request.size()
                yield await self._finish(request)
                # Its client took the answer. Nothing here keeps the records then.
                del request
                self._allowance.give_back(size)
                if self._backlog is not None:
                    self._backlog.came_back()
        finally:
            reader.cancel()
            drainer.cancel()
            # Their failures lead back here: such a circle keeps what the stream holds until garbage is collected.
            while not waiting.empty():
                waiting.get_nowait()

    async def _drain(self, reader: asyncio.Task[None], waiting: asyncio.Queue[_Request | BaseException | None]) -> None:
        await self._draining.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await waiting.put(Unavailable("DRAINING", "the server is stopping; send what has no answer to another one"))

    async def _read(
        self,
        requests: AsyncIterator[ingest_pb2.AppendEventsRequest],
        waiting: asyncio.Queue[_Request | BaseException | None],
    ) -> None:
        try:
            async for request in requests:
                taken = await self._take(request)
                self._allowance.take(taken.size())
                await waiting.put(taken)
                del request, taken
                await self._allowance.wait()
                if self._backlog is not None:
                    await self._backlog.wait(self._number, self._allowance.out)
            await waiting.put(None)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # handed to the responses, where the stream ends with it
            await waiting.put(error)

    async def _take(self, request: ingest_pb2.AppendEventsRequest) -> _Request:
        began = time.monotonic()
        try:
            refuse_undecodable(request)
            _check_size(request)
            if request.heartbeats and not request.HasField("frame"):
                if self._heartbeats is not None:
                    self._heartbeats.take(request.heartbeats)
                quiet = self._may_be_quiet(one.namespace or DEFAULT_NAMESPACE for one in request.heartbeats)
                return _Request([Taken(ingest_pb2.AppendEventsResponse(heartbeat_seconds=quiet))], began)
        except (InvalidArgument, ResourceExhausted) as error:
            self._intake.forget_names()
            self._telemetry.refused.labels(error.reason).inc()
            return _Request([Taken(ingest_pb2.AppendEventsResponse(status=to_status(error)))], began)
        taken = await self._intake.take((request.frame, *request.more_frames))
        if (named := request.frame.namespace) or not self._told:
            # A frame that leaves it empty is of the namespace of the one before.
            taken[0].answer.heartbeat_seconds = self._may_be_quiet([named or DEFAULT_NAMESPACE])
        return _Request(taken, began)

    def _may_be_quiet(self, namespaces: Iterable[str]) -> int:
        """Seconds that writers of these may send nothing; 0 = as long as was said before."""
        new = {one for one in namespaces if one not in self._told}
        if self._heartbeats is None or not new:
            return 0
        if len(self._told) < NAMESPACES_TOLD:
            self._told |= new
        return self._heartbeats.pace.quiet_seconds(new)

    async def _finish(self, request: _Request) -> ingest_pb2.AppendEventsResponse:
        await _settled(request.taken)
        reached: dict[Partition, _Reached] = {}
        durable = [taken for taken in request.taken if self._is_durable(taken, reached)]
        answer = request.taken[0].answer
        answer.more_responses.extend(taken.answer for taken in request.taken[1:])
        answer.position.CopyFrom(to_proto({partition: one.next_offset for partition, one in reached.items()}))
        answer.frames_per_request = FRAMES_PER_REQUEST
        self._count(durable, time.monotonic() - request.began)
        if self._backlog is not None:
            for partition, one in reached.items():
                self._backlog.add(self._number, partition, one.next_offset - 1, one.size)
        return answer

    def _is_durable(self, taken: Taken, reached: dict[Partition, _Reached]) -> bool:
        """Whether the log has the frame, which is noted by its partition then.

        Raises what the log said when it can't be asked.
        """
        if taken.durable is None:
            return False
        try:
            record = taken.durable.result()
        except RecordTooLarge as error:
            refused = ResourceExhausted("FRAME_TOO_LARGE", f"{error}; split it")
            self._telemetry.refused.labels(refused.reason).inc()
            taken.answer.durable_sequence = 0
            taken.answer.status.CopyFrom(to_status(refused))
            return False
        one = reached.get(record.partition)
        if one is None:
            reached[record.partition] = _Reached(record.offset + 1, taken.size)
        else:
            one.next_offset = max(one.next_offset, record.offset + 1)
            one.size += taken.size
        return True

    def _count(self, durable: Iterable[Taken], seconds: float) -> None:
        frames = events = points = 0
        for taken in durable:
            frames += 1
            events += taken.events
            points += taken.points
            for reason in taken.reasons:
                self._telemetry.refused.labels(reason).inc()
        if frames:
            self._telemetry.frames.inc(frames)
            self._telemetry.events.inc(events)
            self._telemetry.points.inc(points)
            self._telemetry.ack_seconds.observe(seconds)


async def _settled(taken: Sequence[Taken]) -> None:
    """Wait until the log has said of each frame what became of it.

    The last one first: by then the others are done nearly always, and the loop was woken once for all of them.
    """
    for one in reversed(taken):
        if one.durable is not None and not one.durable.done():
            await asyncio.gather(asyncio.wrap_future(one.durable), return_exceptions=True)


def _check_size(request: ingest_pb2.AppendEventsRequest) -> None:
    """OVER_LIMIT, REQUEST_TOO_LARGE: nothing of the request is taken."""
    if not request.more_frames:
        return
    frames = 1 + len(request.more_frames)
    if frames > FRAMES_PER_REQUEST:
        raise InvalidArgument.of_field(
            "OVER_LIMIT", "more_frames", f"{frames:,} frames, at most {FRAMES_PER_REQUEST}; send several requests"
        )
    if (size := request.ByteSize()) > REQUEST_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"{frames} frames have {size:,} bytes, at most {REQUEST_BYTES:,}; send several requests",
        )
