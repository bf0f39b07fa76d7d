"""What became different between what somebody has of a watched search and what it is now. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fleetlog_core import limits
from fleetlog_core.log.port import Partition
from fleetlog_core.position import to_proto
from fleetlog_proto.v1 import run_pb2, watch_pb2

RESPONSE_BYTES = limits.PAGE_BYTES
"""Maximum bytes of the runs in one response: more of them go in several."""


@dataclass(frozen=True)
class Snapshot:
    """The foremost runs of a search, in order; everything before the position is in it.

    `digests` stand for what each run holds.
    """

    position: Mapping[Partition, int]
    runs: Mapping[str, run_pb2.Run]
    digests: Mapping[str, int]
    number: int
    """Higher than that of the snapshot before."""

    @classmethod
    def of(cls, position: Mapping[Partition, int], runs: Sequence[run_pb2.Run], number: int) -> Snapshot:
        """Snapshot of these runs, which are in order."""
        digests = {run.run_id: hash(run.SerializeToString(deterministic=True)) for run in runs}
        return cls(position, {run.run_id: run for run in runs}, digests, number)


@dataclass
class Held:
    """Digests of what a client has, by run, in its order; None = as it is now, unless the run is `stale`."""

    digests: dict[str, int | None] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()
    begun: bool = False
    """True if it has anything to go on from."""

    def advance(self, now: Snapshot) -> watch_pb2.WatchRunsResponse | None:
        """Changes to be told so that it has what there is now; None when there are none. Counts as told."""
        left = [run_id for run_id in self.digests if run_id not in now.runs]
        entered = [run for run_id, run in now.runs.items() if run_id not in self.digests]
        changed = [run for run_id, run in now.runs.items() if self._differs(run_id, now.digests[run_id])]
        ordered = list(self.digests) != list(now.runs)
        begun = self.begun
        self.digests, self.stale, self.begun = dict(now.digests), frozenset(), True
        if begun and not (left or entered or changed or ordered):
            return None
        return watch_pb2.WatchRunsResponse(
            entered=entered, left=left, changed=changed, order=list(now.runs) if ordered else (),
            position=to_proto(now.position), snapshot=not begun,
        )  # fmt: skip

    def _differs(self, run_id: str, digest: int) -> bool:
        if run_id not in self.digests:
            return False
        known = self.digests[run_id]
        return run_id in self.stale if known is None else known != digest


def pieces(response: watch_pb2.WatchRunsResponse) -> Iterator[watch_pb2.WatchRunsResponse]:
    """A response, or several that are the same together: what has no position goes on with the next."""
    if response.ByteSize() <= RESPONSE_BYTES:
        yield response
        return
    piece, size = watch_pb2.WatchRunsResponse(snapshot=response.snapshot, left=response.left), 0
    for runs, name in ((response.entered, "entered"), (response.changed, "changed")):
        for run in runs:
            if size and size + run.ByteSize() > RESPONSE_BYTES:
                yield piece
                piece, size = watch_pb2.WatchRunsResponse(), 0
            (piece.entered if name == "entered" else piece.changed).append(run)
            size += run.ByteSize()
    piece.order.extend(response.order)
    piece.position.CopyFrom(response.position)
    yield piece
