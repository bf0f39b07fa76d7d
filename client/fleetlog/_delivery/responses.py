"""The answer side of a delivery: each frame's answer, in the order they were sent; `verdicts` says what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetlog_proto.v1 import ingest_pb2, position_pb2

from fleetlog._delivery.account import Refusals
from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.sent import Sent
from fleetlog._delivery.verdicts import Said, Then, mismatch, mismatch_of, said_by, then
from fleetlog.errors import FleetlogError, from_status, is_verdict


class NotNow(Exception):
    """An answer that asks for the frame again, later."""

    def __init__(self, error: FleetlogError) -> None:
        super().__init__(error.message)
        self.error = error


class Responses:
    """What a server's answers do to the frames in flight.

    `saw` takes the positions of what is durable; `forgotten` takes the frames that have their answers.
    """

    def __init__(
        self, in_flight: InFlight, refusals: Refusals, saw: Callable[[position_pb2.Position], None],
        forgotten: Callable[[Sequence[Sent]], None] = lambda frames: None, heartbeats: Heartbeats | None = None,
    ) -> None:  # fmt: skip
        self._heartbeats = heartbeats
        self._in_flight = in_flight
        self._refusals = refusals
        self._saw = saw
        self._forgotten = forgotten
        self._answered: list[Sent] = []
        self._singly = False
        """A request was wrong as a whole: one frame a request, until it is known which one."""

    def answered(self, response: ingest_pb2.AppendEventsResponse) -> None:
        """The answer to one request. NotNow: from some frame on it is to be sent again."""
        answers = [response, *response.more_responses]
        asked = self._in_flight.next_answer()
        if self._heartbeats is not None:
            self._heartbeats.may_be_quiet(response.heartbeat_seconds)
        if asked == 0:
            if response.HasField("status") and self._heartbeats is not None:
                self._heartbeats.refused()
            return
        if asked != len(answers):
            # It says nothing of any frame in particular.
            self._singly = True
            if not response.HasField("status"):
                raise NotNow(mismatch(f"there are {len(answers):,} answers to the frames of one request"))
            raise NotNow(from_status(response.status))
        for sent, answer in zip(self._in_flight.oldest(len(answers)), answers, strict=True):
            if (wrong := mismatch_of(sent.frame, answer)) is not None:
                raise NotNow(wrong)
        # Before anything is forgotten: who sees that nothing is in flight may read at once.
        self._saw(response.position)
        try:
            for answer in answers:
                self._answered_one(answer)
        finally:
            self._settle()
        if not self._in_flight:
            self._singly = False
        if not self._singly:
            self._in_flight.allow(response.frames_per_request)

    def stream_ended(self, error: FleetlogError) -> None:
        """A stream ended by an error that is of no answer in particular."""
        head = self._in_flight.first_sent()
        # Answers come in order: the first without one is what the server ended the stream at.
        if head is not None and is_verdict(error):
            self._singly = True
            if self._next_state(head, Said.STREAM_REFUSED) is Then.SET_ASIDE:
                self._forget(self._in_flight.answered(), error)
                self._settle()

    def _answered_one(self, response: ingest_pb2.AppendEventsResponse) -> None:
        error = from_status(response.status) if response.HasField("status") else None
        if error is not None:
            first = self._in_flight.oldest(1)[0]
            next_state = self._next_state(first, said_by(error))
            if next_state is Then.COUNT_MISSING:
                self._refusals.missing(first, error)
            if next_state is not Then.SET_ASIDE:
                raise NotNow(error)
        sent = self._in_flight.answered()
        for refusal in response.refusals:
            self._refusals.refused(from_status(refusal.status))
        self._forget(sent, error)

    def _next_state(self, sent: Sent, said: Said) -> Then:
        found = then(said, sent.refused_streams)
        sent.refused_streams += said in (Said.GAP, Said.STREAM_REFUSED)
        return found

    def _forget(self, sent: Sent, error: FleetlogError | None) -> None:
        if error is not None:
            self._refusals.set_aside(sent, error)
        self._answered.append(sent)

    def _settle(self) -> None:
        """What has its answer is let go of, before anybody is told that it has."""
        answered, self._answered = self._answered, []
        if answered:
            self._forgotten(answered)
        self._in_flight.reach()
