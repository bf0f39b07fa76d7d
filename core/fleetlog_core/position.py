"""Positions: partition → next offset. What acks carry and reads wait for."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_proto.v1 import position_pb2

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.log.port import CONTROL, EVENTS, Partition, Record

Position = Mapping[Partition, int]
PARTITIONS = 0xFFFF
"""The highest number of a partition: the tables keep it in 16 bits."""


def after(record: Record) -> dict[Partition, int]:
    """The position that covers the record."""
    return {record.partition: record.offset + 1}


def to_proto(position: Position) -> position_pb2.Position:
    """As the message."""
    return position_pb2.Position(
        offsets=[
            position_pb2.PartitionOffset(topic=partition.topic, partition=partition.number, next_offset=offset)
            for partition, offset in position.items()
        ]
    )


def from_proto(message: position_pb2.Position, field: str = "at_least") -> dict[Partition, int]:
    """From the message. POSITION_INVALID."""
    position: dict[Partition, int] = {}
    for place, entry in enumerate(message.offsets):
        if entry.topic not in (EVENTS, CONTROL):
            raise InvalidArgument.of_field(
                "POSITION_INVALID",
                f"{field}.offsets[{place}].topic",
                f"{shown(entry.topic)} is no topic; send back a position as an answer gave it",
            )
        if entry.next_offset < 0 or entry.partition > PARTITIONS:
            raise InvalidArgument.of_field(
                "POSITION_INVALID",
                f"{field}.offsets[{place}]",
                f"partition {entry.partition}, offset {entry.next_offset} are not 0 to {PARTITIONS} and 0 or more;"
                " send back a position as an answer gave it",
            )
        partition = Partition(entry.topic, entry.partition)
        position[partition] = max(position.get(partition, 0), entry.next_offset)
    return position


def merge(one: Position, other: Position) -> dict[Partition, int]:
    """The position that covers both."""
    merged = dict(one)
    for partition, offset in other.items():
        merged[partition] = max(merged.get(partition, 0), offset)
    return merged


def covers(position: Position, wanted: Position) -> bool:
    """Whether everything before `wanted` is before `position`."""
    return all(position.get(partition, 0) >= offset for partition, offset in wanted.items())
