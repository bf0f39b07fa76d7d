"""Writers of a run: processes that write to it, and changes from outside of its training."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleetlog_proto.v1 import writer_pb2

from fleetlog._views.views import utc

_STATES = {
    writer_pb2.WRITER_STATE_UNSPECIFIED: None,
    writer_pb2.WRITER_STATE_AT_WORK: "AT_WORK",
    writer_pb2.WRITER_STATE_ENDED: "ENDED",
    writer_pb2.WRITER_STATE_LOST: "LOST",
    writer_pb2.WRITER_STATE_SILENT: "SILENT",
}


@dataclass(frozen=True)
class Writer:
    """A process that writes to a run, or a change from outside of its training."""

    id: str
    """32 hexadecimal digits."""
    rank: int | None
    """Its place among the processes of the run; None = it has none."""
    state: str | None
    """AT_WORK, ENDED, LOST (with its run), or SILENT: not heard of since the run was resumed or given a state.
    None = it does not tell. STATE_ and a number for one that a newer server knows."""
    last_sequence: int
    """Highest sequence of its events that can be read."""
    missing_events: int
    """Events below it that did not come, or not yet."""
    last_time: datetime | None
    """When the server took its latest record, UTC; None = that is not known."""

    @classmethod
    def of(cls, message: writer_pb2.Writer) -> Writer:
        """From the message."""
        return cls(
            message.writer_id,
            message.rank if message.HasField("rank") else None,
            _STATES.get(message.state, f"STATE_{message.state}"),
            message.last_sequence,
            message.missing_events,
            utc(message.last_time_millis) if message.last_time_millis else None,
        )
