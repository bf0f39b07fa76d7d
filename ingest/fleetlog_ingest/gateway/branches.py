"""BranchRun: a run that goes on from a step of another one, as events of a writer of its own.

Points are not copied: the events say which of the source's belong to the branch, up to a step and to where the log is
read by now, and what is known of those. So the fold needs nothing but the events, and a replay comes to the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from fleetlog_core.ids import ID_BYTES, KEY_TAG, parse_id
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.position import after, merge, to_proto
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog_ingest.gateway.branch_source import (
    SourceRun,
    attrs_of,
    inherited_series,
    last_step,
    segments_of,
    source_run,
)
from fleetlog_ingest.gateway.control import check_request_id
from fleetlog_ingest.gateway.runs import run_not_found, writer_status
from fleetlog_ingest.gateway.screen import encoded
from fleetlog_ingest.request_digests import check_same_request, digest_of_branch

EVENT_BYTES = limits.FRAME_BYTES // 4
"""Encoded size at which another event, or frame, is begun."""
_SERIES_PER_EVENT = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was checked. `next_offset`: where the log of the source is applied up to."""

    namespace: str
    source_id: bytes
    branch_id: bytes
    request_id: bytes
    step: int
    rewinds: bool
    digest: int
    next_offset: int


class Branches:
    """Makes branches. Used from one event loop."""

    def __init__(self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch, executor: Executor) -> None:
        self._log = log
        self._warehouse = warehouse
        self._applied = applied
        self._executor = executor

    async def make(self, request: ingest_pb2.BranchRunRequest, timeout_seconds: float) -> ingest_pb2.BranchRunResponse:
        """See the proto."""
        deadline = time.monotonic() + timeout_seconds
        loop = asyncio.get_running_loop()
        # Before anything is read: what is read holds all before it.
        applied = await self._applied.now()
        asked = self._checked(request, applied)
        source, frames = await loop.run_in_executor(self._executor, self._frames, asked)
        position: dict[Partition, int] = {}
        appended = [self._log.append(EVENTS, asked.branch_id, encoded(frame)) for frame in frames]
        for record in await asyncio.gather(*map(asyncio.wrap_future, appended)):
            position = merge(position, after(record))
        await self._applied.wait(position, max(0.0, deadline - time.monotonic()))
        if asked.rewinds:
            made = await loop.run_in_executor(
                self._executor, source_run, self._warehouse, asked.namespace, asked.source_id
            )
            if made is None or made.superseded_by != asked.branch_id:
                raise _rewound(asked.source_id, b"" if made is None else made.superseded_by)
        return ingest_pb2.BranchRunResponse(
            branch_run_id=asked.branch_id.hex(), experiment_id=source.experiment, position=to_proto(position)
        )

    def _checked(self, request: ingest_pb2.BranchRunRequest, applied: dict[Partition, int]) -> Asked:
        namespace, source_id = check_namespace(request.namespace), parse_id(request.run_id)
        branch_id = request.branch_run_id
        if len(branch_id) != ID_BYTES:
            what = f"{len(branch_id):,} bytes; send the {ID_BYTES} of a new run id"
            raise InvalidArgument.of_field("INVALID_ID", "branch_run_id", what)
        count = self._log.partitions(EVENTS)
        number = partition_of(source_id, count)
        if request.rewinds:
            branch_id = in_partition(branch_id, number, count)
        if branch_id == source_id:
            what = "it is the run's own id; make a new one for the branch"
            raise InvalidArgument.of_field("INVALID_ID", "branch_run_id", what)
        next_offset = applied.get(Partition(EVENTS, number), 0)
        request_id = check_request_id(request.request_id)
        digest = digest_of_branch(request)
        return Asked(
            namespace, source_id, branch_id, request_id, request.step, request.rewinds, digest, next_offset
        )  # fmt: skip

    def _frames(self, asked: Asked) -> tuple[SourceRun, list[frame_pb2.Frame]]:
        warehouse, namespace, source_id = self._warehouse, asked.namespace, asked.source_id
        source = source_run(warehouse, namespace, source_id)
        if source is None or source.visibility == PURGED:
            raise run_not_found(source_id)
        before = writer_status(warehouse, namespace, asked.branch_id, asked.request_id)
        if before is not None:
            check_same_request(before.request, asked.digest)
        # Once it was begun, what it has is decided: asked again, it is of the same segments.
        segments = segments_of(warehouse, namespace, asked.branch_id) if before is not None else []
        if not segments:
            self._check_source(asked, source)
            segments = _segments(asked, segments_of(warehouse, namespace, source_id))
        series = inherited_series(warehouse, namespace, segments)
        attrs = attrs_of(warehouse, namespace, source_id)
        if not asked.rewinds:
            attrs.tags.pop(KEY_TAG, None)
        now = time.time_ns() // 1_000_000
        branched = event_pb2.RunBranched(
            source_run_id=source_id, step=asked.step, rewinds=asked.rewinds, segments=segments
        )
        events = [
            event_pb2.Event(run_started=_started(source, rewinds=asked.rewinds)),
            event_pb2.Event(run_branched=branched),
            *_param_events(attrs.params),
            *_tag_events(attrs.tags),
            *_series_events(series),
        ]
        for place, event in enumerate(events):
            event.sequence, event.observe_time_millis = place + 1, now
        return source, list(_in_frames(asked, events, now))

    def _check_source(self, asked: Asked, source: SourceRun) -> None:
        if source.visibility == 1:
            raise FailedPrecondition(
                "RUN_DELETED", f"run {asked.source_id.hex()} is deleted; restore it to go on from it"
            )
        if asked.rewinds and source.is_superseded:
            raise _rewound(asked.source_id, source.superseded_by)
        last = last_step(self._warehouse, asked.namespace, asked.source_id)
        if last is None or asked.step > last:
            there = "it has no points" if last is None else f"its last step is {last:,}"
            what = f"{asked.step:,} is behind the end of run {asked.source_id.hex()}: {there}; give a step that it has"
            raise InvalidArgument.of_field("STEP_NOT_REACHED", "step", what)


def in_partition(run_id: bytes, number: int, count: int) -> bytes:
    """The id, or the first one that differs in its last four bytes and is of the partition."""
    head, tail = run_id[:-4], int.from_bytes(run_id[-4:], "big")
    while partition_of(run_id, count) != number:
        tail = (tail + 1) % (1 << 32)
        run_id = head + tail.to_bytes(4, "big")
    return run_id


def _rewound(run_id: bytes, branch: bytes) -> FailedPrecondition:
    current = branch.hex() if any(branch) else "another one"
    return FailedPrecondition(
        "RUN_REWOUND", f"run {run_id.hex()} was rewound before, and goes on as {current}; rewind that one"
    )


def _segments(asked: Asked, before: Sequence[event_pb2.Segment]) -> list[event_pb2.Segment]:
    """Segments of the branch: of the source itself, and what that has of others. BRANCHES_TOO_DEEP."""
    if len(before) >= limits.BRANCH_DEPTH:
        raise ResourceExhausted(
            "BRANCHES_TOO_DEEP",
            f"run {asked.source_id.hex()} goes on from {len(before):,} runs, one behind the other, at most"
            f" {limits.BRANCH_DEPTH:,}; start a run of its own",
        )
    own = event_pb2.Segment(run_id=asked.source_id, step=asked.step, next_offset=asked.next_offset)
    others = [
        event_pb2.Segment(run_id=one.run_id, step=min(one.step, asked.step), next_offset=one.next_offset)
        for one in before
    ]
    return [own, *others]


def _started(source: SourceRun, *, rewinds: bool) -> event_pb2.RunStarted:
    if not rewinds:
        # Who forks it starts it: under a name and at a time of its own.
        return event_pb2.RunStarted(experiment_id=source.experiment, opening=event_pb2.RUN_OPENING_ANNOTATE)
    return event_pb2.RunStarted(
        experiment_id=source.experiment, name=source.name, user=source.user, start_time_millis=source.start_time,
        parent_run_id=source.parent_run_id, opening=event_pb2.RUN_OPENING_CREATE,
    )  # fmt: skip


def _param_events(params: Sequence[event_pb2.Param]) -> Iterator[event_pb2.Event]:
    sizes = [param.ByteSize() for param in params]
    for first, last in _stretches(sizes, limits.PARAMS_PER_EVENT):
        yield event_pb2.Event(params_logged=event_pb2.ParamsLogged(params=params[first:last]))


def _tag_events(tags: dict[str, str]) -> Iterator[event_pb2.Event]:
    keys = sorted(tags)
    sizes = [4 * (len(key) + len(tags[key])) for key in keys]
    for first, last in _stretches(sizes, limits.TAGS_PER_EVENT):
        yield event_pb2.Event(tags_set=event_pb2.TagsSet(tags={key: tags[key] for key in keys[first:last]}))


def _series_events(series: Sequence[event_pb2.InheritedSeries]) -> Iterator[event_pb2.Event]:
    sizes = [one.ByteSize() for one in series]
    for first, last in _stretches(sizes, _SERIES_PER_EVENT):
        yield event_pb2.Event(series_inherited=event_pb2.SeriesInherited(series=series[first:last]))


def _stretches(sizes: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Neighbouring items, at most so many and so large together: (first, behind the last) of each stretch."""
    first = size = 0
    for place, one in enumerate(sizes):
        if place > first and (place - first >= most or size + one > EVENT_BYTES):
            yield first, place
            first = place
            size = 0
        size += one
    if sizes:
        yield first, len(sizes)


def _in_frames(asked: Asked, events: Sequence[event_pb2.Event], now_millis: int) -> Iterator[frame_pb2.Frame]:
    sizes = [event.ByteSize() for event in events]
    for first, last in _stretches(sizes, limits.EVENTS_PER_FRAME):
        yield frame_pb2.Frame(
            namespace=asked.namespace, run_id=asked.branch_id, writer_id=asked.request_id,
            events=events[first:last], ingest_time_millis=now_millis, request_digest=asked.digest,
        )  # fmt: skip
