"""From what a request says of the past to a position, by where the log stood when."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_core.position import from_proto, to_proto
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_proto.v1 import position_pb2, scope_pb2

from fleetlog_query.language.moments import shown_moment
from fleetlog_query.sql.as_of import AsOf, too_early
from fleetlog_query.sql.binds import Binds

HOUR_MILLIS = 3_600_000
AHEAD_MILLIS = 60_000
"""Milliseconds by which a client's clock may be ahead of the server's."""
_CONTROL = Partition(CONTROL, 0)
_BEGINS = Statement(
    f"SELECT topic, part, min(first) AS upto, max(partitions) AS count FROM log_times WHERE span = {HOUR_MILLIS}"
    " GROUP BY topic, part"
)


@dataclass(frozen=True, slots=True)
class _Reach:
    """Offsets from which on each partition's past is known; and the count of partitions of events."""

    begins: Mapping[Partition, int]
    count: int


class History:
    """Finds positions. `clock`: seconds since 1970."""

    def __init__(self, warehouse: Warehouse, clock: Callable[[], float] = time.time) -> None:
        self._warehouse = warehouse
        self._clock = clock

    def as_of(self, asked: scope_pb2.AsOf) -> AsOf:
        """The position. AS_OF_EMPTY, AS_OF_IN_FUTURE, AS_OF_TOO_EARLY, POSITION_INVALID. TimedOut."""
        which = asked.WhichOneof("when")
        if which is None:
            raise InvalidArgument.of_field("AS_OF_EMPTY", "as_of", "it says no time and no position; give one of them")
        timed = which == "time_millis"
        if timed:
            self._check_time(asked.time_millis)
            found = self.offsets_at(asked.time_millis)
        else:
            found = from_proto(asked.position, "as_of.position")
        reach = self._reach()
        for partition, begins in reach.begins.items():
            # That nothing of a partition had come is known of every position, and of a time when it is before the
            # first record of all.
            offset = found.get(partition, -1 if timed else 0)
            if begins > 0 and offset < begins and offset != 0:
                raise too_early()
        events = tuple(found.get(Partition(EVENTS, number), 0) for number in range(reach.count))
        return AsOf(events, found.get(_CONTROL, 0 if timed else None))

    def _check_time(self, millis: int) -> None:
        now = self._clock() * 1000
        if millis > now + AHEAD_MILLIS:
            raise InvalidArgument.of_field(
                "AS_OF_IN_FUTURE",
                "as_of",
                f"{shown_moment(millis)} is yet to come: it is {shown_moment(now)} by the server's clock; leave it out"
                " for what is now",
            )

    def offsets_at(self, millis: int) -> dict[Partition, int]:
        """Offsets after the last record that the log had taken then. Partitions without one are left out."""
        binds = Binds()
        hour, then = binds.whole(millis // HOUR_MILLIS * HOUR_MILLIS), binds.whole(millis)
        sql = (
            "SELECT topic, part, max(next_offset) AS upto FROM log_times"
            f" WHERE (span = {HOUR_MILLIS} AND begin < {hour}) OR (span = 1 AND begin >= {hour} AND begin <= {then})"
            " GROUP BY topic, part"
        )
        return offsets_of(self._warehouse.select(Statement(sql, binds.values)))

    def _reach(self) -> _Reach:
        # In this order: what is applied meanwhile has its times before it is applied.
        applied = offsets_of(self._warehouse.select(APPLIED))
        answer = self._warehouse.select(_BEGINS)
        return _Reach({**applied, **offsets_of(answer)}, max(map(int, answer.array("count").tolist()), default=1))


def now_of(asked: scope_pb2.AsOf) -> float | None:
    """Unix milliseconds that now() means as of then; None = what it always does."""
    return float(asked.time_millis) if asked.WhichOneof("when") == "time_millis" else None


def without_as_of(scope: scope_pb2.RunScope) -> None:
    """AS_OF_UNSUPPORTED."""
    if scope.HasField("as_of"):
        raise InvalidArgument.of_field(
            "AS_OF_UNSUPPORTED", "scope.as_of", "this call is of now; searches, reads, lists and selections take it"
        )


def position_of(as_of: AsOf) -> position_pb2.Position:
    """Position as the message."""
    position = {Partition(EVENTS, number): offset for number, offset in enumerate(as_of.events)}
    return to_proto(position if as_of.control is None else {**position, _CONTROL: as_of.control})
