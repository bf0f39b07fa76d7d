"""What a worker sends, by the client's own framing. Pure, but for the clock that rows are stamped by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from fleetlog._events.framing import Framer
from fleetlog._events.items import Fact, Item, Marker, Row, Writer
from fleetlog.loadtest.points import file_of, keys_of, params_of, tags_of, values_of
from fleetlog.loadtest.profile import Profile
from fleetlog.loadtest.schedule import Place, has_file


@dataclass(slots=True)
class SentFrame:
    """A frame without an answer, or a heartbeat (no frame)."""

    frame: frame_pb2.Frame | None
    steps: range
    """Steps that are in it."""
    sent_at: float
    """When it was sent the first time, by the load's clock."""
    is_opening: bool = False
    refused_streams: int = 0
    """Streams that ended as wrong while this was the first without an answer."""


def writer_of(
    profile: Profile, place: Place, name: str, namespace: str, experiment_id: int, run_id: bytes, writer_id: bytes
) -> Writer:
    """The writer of a worker. All ranks of a run open it alike: the first in the log's order makes it."""
    opening = event_pb2.RUN_OPENING_JOIN if place.rank else event_pb2.RUN_OPENING_CREATE
    started = event_pb2.RunStarted(
        experiment_id=experiment_id, name=f"{name} {place.run:06}", params=params_of(profile, place.run),
        tags=tags_of(profile, place.run), opening=opening, heartbeats=True,
    )  # fmt: skip
    return Writer(namespace, run_id, writer_id, place.rank, name, started, experiment_id)


class Frames:
    """Frames of one worker, one after another."""

    def __init__(self, profile: Profile, place: Place, writer: Writer) -> None:
        self._profile, self._place, self.writer = profile, place, writer
        self._keys = keys_of(profile)
        self._framer = Framer()

    def opening(self, now_millis: int) -> Iterator[SentFrame]:
        """The frame that opens the run."""
        event = event_pb2.Event(observe_time_millis=now_millis, run_started=self.writer.started)
        for frame in self._made([Fact(self.writer, event)]):
            yield SentFrame(frame, range(0), 0.0, is_opening=True)

    def of(self, steps: range, now_millis: int) -> Iterator[SentFrame]:
        """Frames of some steps: one, unless they are too large for that."""
        number, items = self._place.number, list[Item]()
        for step in steps:
            values = values_of(number, step, self._profile.metrics)
            items.append(Row(self.writer, self._keys, values, step, now_millis))
        for step in steps:
            if has_file(self._profile, step):
                file = file_of(number, step, self._profile.artifact_bytes)
                items.append(Fact(self.writer, event_pb2.Event(observe_time_millis=now_millis, artifact_logged=file)))
        first = steps.start
        for frame in self._made(items):
            count = sum(len(event.metrics_logged.step_deltas) for event in frame.events)
            yield SentFrame(frame, range(first, first + count), 0.0)
            first += count

    def ending(self, now_millis: int) -> Iterator[SentFrame]:
        """The frame that ends the worker's part of the run."""
        ended = event_pb2.RunFinished(state=event_pb2.RUN_STATE_FINISHED)
        event = event_pb2.Event(observe_time_millis=now_millis, run_finished=ended)
        for frame in self._made([Fact(self.writer, event)]):
            yield SentFrame(frame, range(0), 0.0)

    def _made(self, items: list[Item]) -> Iterator[frame_pb2.Frame]:
        for made in self._framer.frames(items):
            if not isinstance(made, Marker):
                yield made[1]


def refused_steps(sent: SentFrame, answer: ingest_pb2.AppendEventsResponse) -> list[range]:
    """Steps of a frame whose events were refused by themselves."""
    refused = {one.sequence for one in answer.refusals}
    found, first = [], sent.steps.start
    for event in () if sent.frame is None else sent.frame.events:
        count = len(event.metrics_logged.step_deltas)
        if count and event.sequence in refused:
            found.append(range(first, first + count))
        first += count
    return found


def files_of(sent: SentFrame, answer: ingest_pb2.AppendEventsResponse) -> dict[str, bytes]:
    """SHA-256 of the files of a frame that were taken, by path."""
    refused = {one.sequence for one in answer.refusals}
    events = () if sent.frame is None else sent.frame.events
    return {
        event.artifact_logged.path: event.artifact_logged.sha256
        for event in events
        if event.HasField("artifact_logged") and event.sequence not in refused
    }
