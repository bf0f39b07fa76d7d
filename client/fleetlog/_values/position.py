"""Places in the event log, as users keep them and hand them back."""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_proto.v1 import position_pb2


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the event log: everything before it was seen. `RunList.position` of a search with `as_of` is one.

    Given as `as_of` it reads the same again, whatever is written later. It can be compared, pickled and kept.
    """

    offsets: tuple[tuple[str, int, int], ...] = ()
    """(topic, partition, offset of the first event that was not seen) of each partition."""

    @classmethod
    def of(cls, message: position_pb2.Position) -> Position:
        """From the message."""
        return cls(tuple(sorted((one.topic, one.partition, one.next_offset) for one in message.offsets)))

    def message(self) -> position_pb2.Position:
        """For a request."""
        return position_pb2.Position(
            offsets=[
                position_pb2.PartitionOffset(topic=topic, partition=partition, next_offset=next_offset)
                for topic, partition, next_offset in self.offsets
            ]
        )
