"""From a time or a position that is asked for to one that the tables know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from fleetlog_core.errors import FailedPrecondition, InvalidArgument
from fleetlog_core.log.port import CONTROL, EVENTS
from fleetlog_core.warehouse.port import Answer, Read, Statement, Warehouse
from fleetlog_proto.v1 import position_pb2, scope_pb2
from fleetlog_query.changes.moments import AHEAD_MILLIS, History, now_of, position_of, without_as_of
from fleetlog_query.sql.as_of import AsOf

NOW = 1_700_000_000.0
Rows = Sequence[tuple[str, int, int]]


class Tables:
    """What is applied, from which offset on the past is known, and where the log stood at any time."""

    def __init__(self, applied: Rows, begins: Rows, stood: Rows = (), partitions: int = 2) -> None:
        self._applied, self._begins, self._stood, self._partitions = applied, begins, stood, partitions

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        if "FROM applied" in statement.sql:
            return _answer(self._applied)
        if "min(first)" in statement.sql:
            return _answer(self._begins, self._partitions)
        return _answer(self._stood)


def _answer(rows: Rows, count: int = 0) -> Answer:
    columns: dict[str, Read] = {
        "topic": [topic for topic, _, _ in rows],
        "part": np.array([part for _, part, _ in rows], np.uint16),
        "upto": np.array([offset for _, _, offset in rows], np.uint64),
        "count": np.full(len(rows), count, np.uint16),
    }
    return Answer(columns, len(rows), 0, 0)


def history(tables: Tables) -> History:
    return History(cast(Warehouse, tables), lambda: NOW)


WHOLE = Tables(
    applied=[(EVENTS, 0, 50), (EVENTS, 1, 70), (CONTROL, 0, 5)],
    begins=[(EVENTS, 0, 0), (EVENTS, 1, 0), (CONTROL, 0, 0)],
    stood=[(EVENTS, 0, 40), (CONTROL, 0, 3)],
)


def test_a_time_is_the_offsets_behind_what_the_log_had_then() -> None:
    asked = scope_pb2.AsOf(time_millis=int(NOW * 1000))
    assert history(WHOLE).as_of(asked) == AsOf((40, 0), 3)
    assert now_of(asked) == NOW * 1000


def test_a_position_is_taken_as_it_is_and_what_it_does_not_name_is_empty() -> None:
    position = position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic=EVENTS, partition=1, next_offset=7)])
    assert history(WHOLE).as_of(scope_pb2.AsOf(position=position)) == AsOf((0, 7), None)
    assert now_of(scope_pb2.AsOf(position=position)) is None


def test_what_asks_for_no_moment_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        history(WHOLE).as_of(scope_pb2.AsOf())
    assert caught.value.reason == "AS_OF_EMPTY"


def test_what_is_yet_to_come_is_refused_but_for_what_clocks_differ_by() -> None:
    history(WHOLE).as_of(scope_pb2.AsOf(time_millis=int(NOW * 1000) + AHEAD_MILLIS))
    with pytest.raises(InvalidArgument, match="yet to come") as caught:
        history(WHOLE).as_of(scope_pb2.AsOf(time_millis=int(NOW * 1000) + AHEAD_MILLIS + 1))
    assert caught.value.reason == "AS_OF_IN_FUTURE"


@pytest.mark.parametrize(("stood", "known"), [(9, False), (10, True), (0, True)])
def test_the_past_is_known_from_where_it_was_first_kept(stood: int, known: bool) -> None:
    tables = Tables(
        applied=[(EVENTS, 0, 50)], begins=[(EVENTS, 0, 10)], stood=[(EVENTS, 0, stood)] if stood else [], partitions=1
    )
    position = position_pb2.Position(
        offsets=[position_pb2.PartitionOffset(topic=EVENTS, partition=0, next_offset=stood)]
    )
    asked = scope_pb2.AsOf(position=position)
    if known:
        assert history(tables).as_of(asked).events == (stood,)
        return
    with pytest.raises(FailedPrecondition) as caught:
        history(tables).as_of(asked)
    assert caught.value.reason == "AS_OF_TOO_EARLY"


def test_a_position_is_told_with_the_control_partition_where_it_is_known() -> None:
    told = {(one.topic, one.partition): one.next_offset for one in position_of(AsOf((3, 4), 5)).offsets}
    assert told == {(EVENTS, 0): 3, (EVENTS, 1): 4, (CONTROL, 0): 5}
    assert len(position_of(AsOf((3,))).offsets) == 1


def test_calls_of_now_refuse_a_moment() -> None:
    without_as_of(scope_pb2.RunScope())
    with pytest.raises(InvalidArgument) as caught:
        without_as_of(scope_pb2.RunScope(as_of=scope_pb2.AsOf(time_millis=1)))
    assert caught.value.reason == "AS_OF_UNSUPPORTED"
    assert caught.value.violations[0].field == "scope.as_of"
