"""The frame around events: ids, and sequences without gaps."""

from __future__ import annotations

from fleetlog_proto.v1 import frame_pb2

from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition, InvalidArgument, Violation
from fleetlog_core.ids import ID_BYTES

_SUBJECTS = frozenset(frame_pb2.Subject.values())


def check_frame(frame: frame_pb2.Frame) -> None:
    """Ids and sequences; the events themselves are checked one by one. INVALID_ID, FRAME_EMPTY, OVER_LIMIT,
    SUBJECT_INVALID, SEQUENCE_INVALID, RUN_NOT_STARTED."""
    if frame.subject not in _SUBJECTS:
        raise InvalidArgument.of_field(
            "SUBJECT_INVALID",
            "frame.subject",
            f"{frame.subject} is no subject that this server knows; upgrade the server",
        )
    if len(frame.run_id) != ID_BYTES:
        raise InvalidArgument.of_field(
            "INVALID_ID", "frame.run_id", f"{len(frame.run_id):,} bytes; send the {ID_BYTES} of a run id"
        )
    if len(frame.writer_id) != ID_BYTES:
        raise InvalidArgument.of_field(
            "INVALID_ID", "frame.writer_id", f"{len(frame.writer_id):,} bytes; send the {ID_BYTES} of a writer id"
        )
    if frame.HasField("rank") and frame.rank < 0:
        raise InvalidArgument.of_field(
            "RANK_INVALID", "frame.rank", f"{frame.rank} is below 0; leave it out or count from 0"
        )
    if not frame.events:
        raise InvalidArgument.of_field("FRAME_EMPTY", "frame.events", "there is no event; send at least one")
    if len(frame.events) > limits.EVENTS_PER_FRAME:
        raise InvalidArgument.of_field(
            "OVER_LIMIT",
            "frame.events",
            f"{len(frame.events):,} events, at most {limits.EVENTS_PER_FRAME:,}; send several frames",
        )
    first = frame.events[0].sequence
    if first < 1:
        raise InvalidArgument.of_field(
            "SEQUENCE_INVALID", "frame.events[0].sequence", f"{first} is below 1; count from 1"
        )
    for place, event in enumerate(frame.events):
        if event.sequence != first + place:
            raise InvalidArgument.of_field(
                "SEQUENCE_INVALID",
                f"frame.events[{place}].sequence",
                f"{event.sequence} does not follow {first + place - 1}; send sequences without gaps",
            )
    if frame.subject == frame_pb2.SUBJECT_MODEL:
        return
    if first == 1 and frame.events[0].WhichOneof("payload") != "run_started":
        raise FailedPrecondition(
            "RUN_NOT_STARTED",
            "frame.events[0]: the first event of a writer is run_started; send it before others",
            violations=(Violation("frame.events[0]", "the first event of a writer is run_started"),),
        )
