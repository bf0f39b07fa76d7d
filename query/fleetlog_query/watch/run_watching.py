"""What a WatchRuns request asks for, over the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import ResourceExhausted, check_count
from fleetlog_core.ids import parse_id
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.position import from_proto
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import run_pb2, watch_pb2

from fleetlog_query.sql.binds import Binds
from fleetlog_query.watch.run_changes import Held

DEFAULT_LIMIT = 100


@dataclass(frozen=True)
class Resumed:
    """Runs that a client has that comes back: the runs, in order, as of a position."""

    position: Mapping[Partition, int]
    run_ids: Sequence[bytes]


def limit_of(request: watch_pb2.WatchRunsRequest) -> int:
    """Count of runs that are watched. OVER_LIMIT."""
    check_count("limit", request.limit, 0, limits.PAGE_SIZE)
    return request.limit or DEFAULT_LIMIT


def held_size(size_bytes: int, runs: Sequence[run_pb2.Run]) -> int:
    """The size of runs that are kept, with these. ANSWER_TOO_LARGE when it is more than an answer may hold."""
    size_bytes += sum(run.ByteSize() for run in runs)
    if size_bytes > limits.RESPONSE_BYTES:
        raise ResourceExhausted(
            "ANSWER_TOO_LARGE",
            f"the runs have more than {limits.RESPONSE_BYTES:,} bytes; watch fewer, or name in read_mask what is wanted"
            " of them",
        )
    return size_bytes


def resumed_of(request: watch_pb2.WatchRunsRequest) -> Resumed | None:
    """Runs that the client has; None when it begins. OVER_LIMIT, INVALID_ID, POSITION_INVALID."""
    if not request.resume_from.offsets:
        return None
    check_count("known", len(request.known), 0, limits.PAGE_SIZE)
    known = [parse_id(text, f"known[{place}]") for place, text in enumerate(request.known)]
    return Resumed(from_proto(request.resume_from, "resume_from"), known)


def held_by(warehouse: Warehouse, namespace: str, resumed: Resumed | None) -> Held:
    """Runs that the client has, and which of them may have changed since, as of a search that is done.

    `run_touches` has a batch's runs before anything else of the batch can be read: what it does not know yet, that
    search did not see either. It is exact for a log with one partition of events; with many, some runs are told of
    again although they are the same. TimedOut.
    """
    if resumed is None:
        return Held()
    digests: dict[str, int | None] = {run_id.hex(): None for run_id in resumed.run_ids}
    if not digests:
        return Held(digests, begun=True)
    since = min((offset for partition, offset in resumed.position.items() if partition.topic == EVENTS), default=0)
    binds = Binds()
    sql = (
        f"SELECT DISTINCT run_id FROM run_touches WHERE namespace = {binds.text(namespace)}"
        f" AND run_id IN {binds.run_ids(resumed.run_ids)} AND until > {binds.whole(since)}"
    )
    answer = warehouse.select(Statement(sql, binds.values))
    return Held(digests, frozenset(run_id.tobytes().hex() for run_id in answer.array("run_id")), begun=True)
