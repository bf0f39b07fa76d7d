"""A search that stays live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleetlog_core.errors import DeadlineExceeded
from fleetlog_proto.v1 import position_pb2, query_pb2_grpc, run_pb2, watch_pb2

from fleetlog._transport.answers import bad_answer, understood
from fleetlog._transport.calls_in_progress import Stream
from fleetlog._transport.streaming import resumed
from fleetlog._transport.traces import trace_metadata
from fleetlog._views.views import Reader, RunList, RunView

RETRIES = 8
"""How often in a row a server is asked that never answered; one that did may be away for as long as it likes."""

WATCHED = 1_000
"""Maximum of runs that a watch has."""


@dataclass(frozen=True)
class RunChanges:
    """What became different, and all the runs as they are now, in order."""

    runs: RunList
    entered: Sequence[RunView]
    """Among them now, and not before; at first, all of them."""
    left: Sequence[RunView]
    """Not among them any more; as they were last seen."""
    changed: Sequence[RunView]
    """With values that are new."""
    snapshot: bool
    """Whether this begins anew: the first item, and the first after a server that knows nothing of what was before."""


class RunWatch:
    """A watch: what it knows, so that it can go on from there."""

    def __init__(self, target: str, request: watch_pb2.WatchRunsRequest, reader: Reader) -> None:
        self._target = target
        self._request = request
        self._reader = reader
        self._position: position_pb2.Position | None = None
        self._runs: dict[str, run_pb2.Run] = {}
        self._parts: list[watch_pb2.WatchRunsResponse] = []
        self._told = 0

    def changes(self) -> Iterator[RunChanges]:
        """Without end. Errors of this package; Unavailable only while no server ever answered."""
        while True:
            try:
                for response in resumed(self._target, self._start, lambda: None if self._position else RETRIES):
                    self._add(response)
                    if response.HasField("position"):
                        with understood(self._target, "a change of watched runs"):
                            change = self._apply()
                        if change is not None:
                            yield change
                return
            except DeadlineExceeded as error:
                if error.reason != "POSITION_NOT_REACHED" or self._position is None:
                    raise
                # Not the log that this watch began with, or one that lost its end: begin anew.
                self._position = None

    def _add(self, part: watch_pb2.WatchRunsResponse) -> None:
        """BAD_ANSWER for a change of more runs than are watched: it would never end."""
        self._parts.append(part)
        self._told += 1 + len(part.entered) + len(part.changed) + len(part.left)
        most = 4 * max(self._request.limit, WATCHED)
        if self._told > most:
            raise bad_answer(
                self._target, f"a change of more than {most:,} runs, and {self._request.limit:,} are watched"
            )

    def _start(self, stub: query_pb2_grpc.QueryServiceStub) -> Stream[watch_pb2.WatchRunsResponse]:
        self._parts, self._told = [], 0
        request = watch_pb2.WatchRunsRequest()
        request.CopyFrom(self._request)
        if self._position is not None:
            request.resume_from.CopyFrom(self._position)
            request.known.extend(self._runs)
        return stub.WatchRuns(request, metadata=trace_metadata())

    def _apply(self) -> RunChanges | None:
        """What the parts tell together; None when that is nothing new."""
        parts, self._parts, self._told = self._parts, [], 0
        snapshot, last = parts[0].snapshot, parts[-1]
        before = {} if snapshot else self._runs
        left = [run_id for part in parts for run_id in part.left if run_id in before]
        entered = {run.run_id: run for part in parts for run in part.entered}
        # A server that was asked to go on may tell of runs that are the same.
        changed = {run.run_id: run for part in parts for run in part.changed if _differ(run, before.get(run.run_id))}
        runs = {**before, **entered, **changed}
        order = last.order or [run_id for run_id in runs if run_id not in left]
        moved = list(order) != list(before)
        self._runs, self._position = {run_id: runs[run_id] for run_id in order}, last.position
        if not (snapshot or left or entered or changed or moved):
            return None
        views = {run_id: RunView(run, self._reader) for run_id, run in self._runs.items()}
        return RunChanges(
            RunList(list(views.values())),
            [views[run_id] for run_id in entered],
            [RunView(before[run_id], self._reader) for run_id in left],
            [views[run_id] for run_id in changed],
            snapshot,
        )


def _differ(run: run_pb2.Run, before: run_pb2.Run | None) -> bool:
    """As bytes: a NaN is the same as before."""
    return before is None or run.SerializeToString(deterministic=True) != before.SerializeToString(deterministic=True)
