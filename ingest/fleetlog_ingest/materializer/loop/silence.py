"""Since when nothing was heard of the runs of a partition that have writers at work. Pure: times are told.

A run is heard of by each frame of its writers, unless another process delivers it, and by heartbeats. Times are those
of the log, Unix milliseconds: a materializer that lags knows of no silence but what it has read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey

AGAIN_SECONDS = 60.0
"""Time until what was decided is decided again, should the log not have taken it."""


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run of which nothing was heard for too long."""

    key: RunKey
    ver: int
    """Offset of the last record that changed it."""
    heard_millis: int


@dataclass(slots=True)
class _Heard:
    ver: int
    millis: int
    decided_millis: int = 0


class Silence:
    """One partition's. `limit_seconds` says for a namespace after how long a run is lost; 0 = never."""

    def __init__(self, limit_seconds: Callable[[str], float]) -> None:
        self._limit_seconds = limit_seconds
        self._heard: dict[RunKey, _Heard] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def applied(self, records: Iterable[Decoded], changed: Mapping[RunKey, Run]) -> None:
        """A batch is in, which left these runs like this."""
        for decoded in records:
            frame = decoded.frame
            if frame is None or decoded.of_model or frame.redelivered or frame.request_digest:
                continue
            for run_id in [run_id for run_id, _ in decoded.heard] or [frame.run_id]:
                heard = self._heard.get((decoded.namespace, run_id))
                if heard is not None:
                    heard.millis = max(heard.millis, decoded.record.time_millis)
        if changed:
            self._follow(records, changed)

    def _follow(self, records: Iterable[Decoded], changed: Mapping[RunKey, Run]) -> None:
        millis = max((decoded.record.time_millis for decoded in records), default=0)
        for key, run in changed.items():
            if not is_at_work(run):
                self._heard.pop(key, None)
            elif (heard := self._heard.get(key)) is None:
                self._heard[key] = _Heard(run.ver, millis)
            else:
                heard.ver = run.ver

    def begin(self, runs: Iterable[tuple[RunKey, int]], now_millis: int) -> None:
        """These are at work, by their `ver`; when they were heard of is not known, and their time begins now."""
        for key, ver in runs:
            self._heard.setdefault(key, _Heard(ver, now_millis))

    def begin_anew(self, now_millis: int) -> None:
        """Nothing could be heard for a while: for all of them time begins now."""
        for heard in self._heard.values():
            heard.millis = max(heard.millis, now_millis)

    def overdue(self, now_millis: int, at_most: int) -> Sequence[LostRun]:
        """Runs that were silent for too long by now."""
        limits = {namespace: self._limit_seconds(namespace) for namespace in {key[0] for key in self._heard}}
        found = []
        for key, heard in self._heard.items():
            limit = limits[key[0]]
            if limit and now_millis - heard.millis > limit * 1000 and self._may_decide(heard, now_millis):
                found.append(LostRun(key, heard.ver, heard.millis))
                if len(found) == at_most:
                    break
        return found

    def decided(self, runs: Iterable[LostRun], now_millis: int) -> None:
        """That these are lost is on its way into the log."""
        for run in runs:
            if (heard := self._heard.get(run.key)) is not None:
                heard.decided_millis = now_millis

    def _may_decide(self, heard: _Heard, now_millis: int) -> bool:
        return now_millis - heard.decided_millis > AGAIN_SECONDS * 1000


def is_at_work(run: Run) -> bool:
    """True if a writer of the run is at work that says that it lives."""
    return (
        run.state == event_pb2.RUN_STATE_RUNNING
        and run.endings is not None
        and run.endings.at_work > 0
        and not run.deleted
    )
