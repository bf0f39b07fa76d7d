from __future__ import annotations

import pytest
from fleetlog_core.log.port import CONTROL, EVENTS, Partition, Record
from fleetlog_core.position import after, covers, from_proto, merge, to_proto
from fleetlog_proto.v1 import position_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.refusals import refused

PARTITIONS = st.builds(Partition, st.sampled_from([EVENTS, CONTROL]), st.integers(0, 3))
POSITIONS = st.dictionaries(PARTITIONS, st.integers(0, 5))


@given(POSITIONS)
def test_positions_come_back(position: dict[Partition, int]) -> None:
    assert from_proto(to_proto(position)) == position


@given(POSITIONS, POSITIONS, POSITIONS)
def test_a_merge_is_the_least_that_covers_both(
    one: dict[Partition, int], other: dict[Partition, int], third: dict[Partition, int]
) -> None:
    merged = merge(one, other)
    assert merged == merge(other, one)
    assert covers(merged, one)
    assert covers(merged, other)
    assert covers(third, merged) == (covers(third, one) and covers(third, other))


@given(POSITIONS)
def test_nothing_is_covered_by_anything(position: dict[Partition, int]) -> None:
    assert covers(position, {})
    assert covers(position, position)
    assert covers({}, position) == (not any(position.values()))


def test_a_record_is_covered_by_the_position_after_it() -> None:
    partition = Partition(EVENTS, 2)
    assert after(Record(partition, 41, b"", b"", 0)) == {partition: 42}


def test_of_two_offsets_of_a_partition_the_later_counts() -> None:
    twice = position_pb2.Position(
        offsets=[position_pb2.PartitionOffset(topic=EVENTS, partition=1, next_offset=n) for n in (7, 9, 8)]
    )
    assert from_proto(twice) == {Partition(EVENTS, 1): 9}


@pytest.mark.parametrize(
    ("entry", "field", "told"),
    [
        (position_pb2.PartitionOffset(topic=""), "at_least.offsets[1].topic", "'' is no topic"),
        (position_pb2.PartitionOffset(topic="dead-letters"), "at_least.offsets[1].topic", "'dead-letters'"),
        (position_pb2.PartitionOffset(topic="x\n" * 5_000), "at_least.offsets[1].topic", r"'x\nx\n"),
        (position_pb2.PartitionOffset(topic=EVENTS, next_offset=-1), "at_least.offsets[1]", "offset -1"),
        (position_pb2.PartitionOffset(topic=EVENTS, partition=65_536), "at_least.offsets[1]", "partition 65536"),
    ],
)
def test_what_no_answer_gave_is_refused(entry: position_pb2.PartitionOffset, field: str, told: str) -> None:
    forged = position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic=EVENTS, partition=65_535), entry])
    refused(lambda: from_proto(forged), "POSITION_INVALID", field, told, "as an answer gave it")
