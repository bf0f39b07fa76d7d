"""What becomes of a frame by what is said of it: a table, pure.

said               streams that ended at it before    then
DURABLE            any                                FORGET
REFUSED            any                                SET_ASIDE
GAP                none                               COUNT_MISSING, and all is sent again over a new stream
                   one                                SEND_AGAIN: a new stream takes it, knowing of nothing before
                   more                               SET_ASIDE
STREAM_REFUSED     none, one                          SEND_AGAIN, one frame a request: the first may be the wrong one
                   more                               SET_ASIDE
NOT_NOW            any                                SEND_AGAIN
"""

from __future__ import annotations

from enum import Enum, auto

from fleetlog_proto.v1 import frame_pb2, ingest_pb2

from fleetlog.errors import FleetlogError, from_status, is_verdict

REFUSED_STREAMS = 3
"""Streams that end as wrong with the same frame first, until the frame is set aside."""


class Said(Enum):
    """What an answer, or the end of a stream, says of a frame."""

    DURABLE = auto()
    REFUSED = auto()
    GAP = auto()
    """The server misses what was before it."""
    STREAM_REFUSED = auto()
    """The stream ended as wrong, and this is the first frame without an answer."""
    NOT_NOW = auto()
    """Nothing of the frame: a shortage, something on the way, or an answer to something else."""


class Then(Enum):
    """What becomes of the frame."""

    FORGET = auto()
    SET_ASIDE = auto()
    SEND_AGAIN = auto()
    COUNT_MISSING = auto()


_THEN: dict[Said, tuple[Then, Then, Then]] = {
    # By streams that ended at the frame: none, one, more.
    Said.DURABLE: (Then.FORGET, Then.FORGET, Then.FORGET),
    Said.REFUSED: (Then.SET_ASIDE, Then.SET_ASIDE, Then.SET_ASIDE),
    Said.GAP: (Then.COUNT_MISSING, Then.SEND_AGAIN, Then.SET_ASIDE),
    Said.STREAM_REFUSED: (Then.SEND_AGAIN, Then.SEND_AGAIN, Then.SET_ASIDE),
    Said.NOT_NOW: (Then.SEND_AGAIN, Then.SEND_AGAIN, Then.SEND_AGAIN),
}


def then(said: Said, streams_before: int) -> Then:
    """What becomes of a frame at which so many streams ended before."""
    return _THEN[said][min(streams_before, REFUSED_STREAMS - 1)]


def said_by(error: FleetlogError | None) -> Said:
    """What the status of an answer says of its frame; None: it has no status."""
    if error is None:
        return Said.DURABLE
    if not is_verdict(error):
        return Said.NOT_NOW
    return Said.GAP if error.reason == "SEQUENCE_GAP" else Said.REFUSED


def mismatch(what: str) -> FleetlogError:
    """The error of answers that are not to what was sent."""
    return FleetlogError("ANSWER_MISMATCH", f"the server's answers do not match what was sent: {what}")


def mismatch_of(frame: frame_pb2.Frame, response: ingest_pb2.AppendEventsResponse) -> FleetlogError | None:
    """The error when the answer is not of this frame, or of less than the frame has."""
    refused = response.HasField("status")
    if refused and not is_verdict(from_status(response.status)):
        return None
    if (response.run_id, response.writer_id) != (frame.run_id, frame.writer_id):
        return mismatch(
            f"run {frame.run_id.hex()} and writer {frame.writer_id.hex()} were sent, run {response.run_id.hex()} and"
            f" writer {response.writer_id.hex()} answered"
        )
    last = frame.events[-1].sequence
    if not refused and response.durable_sequence < last:
        return mismatch(
            f"sequences up to {last:,} of run {frame.run_id.hex()} were sent, {response.durable_sequence:,} answered"
        )
    return None
