from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import grpc
import pytest
from fleetlog_core.limits import FRAMES_PER_REQUEST, REQUEST_BYTES, RunLimits
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, LogUnavailable, Partition, Record
from fleetlog_ingest.gateway.stream import BYTES_IN_FLIGHT
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from tests.ingest.gateway.serving import RUN, SECONDS, WRITER, kinds, logged, reason, serving, status_of
from tests.ingest.materializer.builders import frame, metrics, start


def opened(writer: bytes = WRITER) -> frame_pb2.Frame:
    sent = frame(start(1), writer=writer)
    sent.ClearField("ingest_time_millis")
    return sent


def follow(sequence: int, **more: float) -> frame_pb2.Frame:
    """A frame that inherits its ids."""
    columns = {key: [(sequence, value)] for key, value in (more or {"x": 1.0}).items()}
    return frame_pb2.Frame(events=[metrics(sequence, **columns)])


class Requests:
    """Requests that a test gives out one by one."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[frame_pb2.Frame | None] = queue.Queue()

    def send(self, frame: frame_pb2.Frame | None) -> None:
        self._waiting.put(frame)

    def __iter__(self) -> Iterator[ingest_pb2.AppendEventsRequest]:
        while (frame := self._waiting.get()) is not None:
            yield ingest_pb2.AppendEventsRequest(frame=frame)


def test_one_answer_a_frame_in_order_and_what_is_answered_is_in_the_log(tmp_path: Path) -> None:
    log = MemoryLog()
    with serving(log, tmp_path) as gateway:
        answers = gateway.append([opened(), *(follow(sequence) for sequence in range(2, 301))])
    assert [answer.durable_sequence for answer in answers] == list(range(1, 301))
    assert {answer.writer_id for answer in answers} == {WRITER}
    frames = logged(log)
    assert [event.sequence for one in frames for event in one.events] == list(range(1, 301))
    assert all(one.rank == 0 and one.run_id == RUN and one.ingest_time_millis > 0 for one in frames)
    assert [answer.position.offsets[0].next_offset for answer in answers] == list(range(1, 301))


def test_a_refused_event_costs_itself_and_keeps_its_place(tmp_path: Path) -> None:
    log = MemoryLog()
    mixed = frame_pb2.Frame(events=[metrics(2, good=[(0, 1.0)]), metrics(3, **{"a//b": [(0, 1.0), (1, 2.0)]})])
    mixed.events.append(metrics(4, good=[(1, 1.0)]))
    with serving(log, tmp_path) as gateway:
        answers = gateway.append([opened(), mixed, follow(5)])
    assert [answer.durable_sequence for answer in answers] == [1, 4, 5]
    (refusal,) = answers[1].refusals
    assert (refusal.sequence, refusal.status.code) == (3, grpc.StatusCode.INVALID_ARGUMENT.value[0])
    assert reason(refusal.status) == "KEY_INVALID"
    kept = logged(log)[1]
    assert kinds(kept) == [(2, "metrics_logged"), (3, "event_refused"), (4, "metrics_logged")]
    assert (kept.events[1].event_refused.reason, kept.events[1].event_refused.points) == ("KEY_INVALID", 2)


def test_a_refused_frame_leaves_the_stream_open_and_nothing_in_the_log(tmp_path: Path) -> None:
    log = MemoryLog()
    gap = frame_pb2.Frame(events=[metrics(2, x=[(0, 1.0)]), metrics(4, x=[(1, 1.0)])])
    with serving(log, tmp_path) as gateway:
        answers = gateway.append([opened(), gap, frame_pb2.Frame(), follow(2)])
    assert [answer.durable_sequence for answer in answers] == [1, 0, 0, 2]
    assert [reason(answer.status) for answer in answers] == ["", "SEQUENCE_INVALID", "FRAME_EMPTY", ""]
    assert [one.events[0].sequence for one in logged(log)] == [1, 2]


def test_frames_of_one_request_have_fates_of_their_own_and_one_position(tmp_path: Path) -> None:
    log = MemoryLog()
    gap = frame_pb2.Frame(events=[metrics(2, x=[(0, 1.0)]), metrics(4, x=[(1, 1.0)])])
    wrong = frame_pb2.Frame(events=[metrics(2, **{"a//b": [(0, 1.0)]})])
    other = opened(bytes(16))
    other.run_id = bytes(range(1, 17))
    request = ingest_pb2.AppendEventsRequest(frame=opened(), more_frames=[gap, wrong, other])
    with serving(log, tmp_path) as gateway:
        (answer,) = gateway.ingest.AppendEvents(iter([request]), timeout=SECONDS)
    answers = [answer, *answer.more_responses]
    assert [one.durable_sequence for one in answers] == [1, 0, 2, 1]
    assert [reason(one.status) for one in answers] == ["", "SEQUENCE_INVALID", "", ""]
    assert [reason(refusal.status) for refusal in answers[2].refusals] == ["KEY_INVALID"]
    assert [one.writer_id for one in answers] == [WRITER, WRITER, WRITER, bytes(16)]
    assert [kinds(one) for one in logged(log)] == [[(1, "run_started")], [(2, "event_refused")]]
    assert len(logged(log, bytes(range(1, 17)))) == 1
    ends = {entry.partition: entry.next_offset for entry in answer.position.offsets}
    assert ends == {number: end for number in range(log.partitions("events")) if (end := log_end(log, number))}
    assert answer.frames_per_request == FRAMES_PER_REQUEST


def log_end(log: MemoryLog, number: int) -> int:
    return log.next_offset(Partition("events", number))


def test_a_request_of_too_many_or_too_large_frames_is_refused_as_a_whole(tmp_path: Path) -> None:
    log = MemoryLog()
    text = event_pb2.Event(sequence=1, tags_set=event_pb2.TagsSet(tags={"k": "v" * (REQUEST_BYTES // 2)}))
    large = frame_pb2.Frame(run_id=RUN, writer_id=WRITER, events=[text])
    requests = [
        ingest_pb2.AppendEventsRequest(frame=opened(), more_frames=[follow(2)] * FRAMES_PER_REQUEST),
        ingest_pb2.AppendEventsRequest(frame=large, more_frames=[large]),
        ingest_pb2.AppendEventsRequest(frame=opened(), more_frames=[follow(place) for place in range(2, 65)]),
    ]
    with serving(log, tmp_path) as gateway:
        answers = list(gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS))
    assert [reason(one.status) for one in answers] == ["OVER_LIMIT", "REQUEST_TOO_LARGE", ""]
    assert [len(one.more_responses) for one in answers] == [0, 0, FRAMES_PER_REQUEST - 1]
    assert [event.sequence for one in logged(log) for event in one.events] == list(range(1, FRAMES_PER_REQUEST + 1))


def test_keys_that_are_too_many_are_refused_by_run_and_name_the_limit(tmp_path: Path) -> None:
    log, other = MemoryLog(), bytes(16)
    many = frame(start(1), run=other)
    many.events.append(metrics(2, c=[(0, 1.0)], d=[(0, 1.0)]))
    with serving(log, tmp_path, limits=RunLimits(2, 2, 2)) as gateway:
        frames = [opened(), follow(2, a=1.0), follow(3, b=1.0, c=1.0), follow(4, b=1.0, a=2.0), follow(5, c=1.0), many]
        answers = gateway.append(frames)
    assert [[(one.sequence, reason(one.status)) for one in answer.refusals] for answer in answers] == [
        [], [], [(3, "TOO_MANY_METRICS")], [], [(5, "TOO_MANY_METRICS")], [],
    ]  # fmt: skip
    status = answers[2].refusals[0].status
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert "frame.events[0].metrics_logged.columns" in status.message
    assert "'c'" in status.message
    assert "METRICS_PER_RUN" in status.message
    assert kinds(logged(log)[2]) == [(3, "event_refused")]


def test_a_log_that_fails_gives_no_answer_but_unavailable(tmp_path: Path) -> None:
    log, requests = MemoryLog(), Requests()
    with serving(log, tmp_path) as gateway:
        stream = gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS)
        requests.send(opened())
        assert next(stream).durable_sequence == 1
        log.close()
        requests.send(follow(2))
        with pytest.raises(grpc.RpcError) as failed:
            next(stream)
        requests.send(None)
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert reason(status_of(failed.value)) == "BACKEND_UNAVAILABLE"
    assert len(logged(log)) == 1


class Refusing(MemoryLog):
    """Takes the first append when it is told to, refuses the second at once, and would take the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Future[Record] = Future()
        self.appended = 0

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        self.appended += 1
        if self.appended == 1:
            return self.first
        if self.appended == 2:
            refused: Future[Record] = Future()
            refused.set_exception(LogUnavailable("too much waits already"))
            return refused
        return super().append(topic, key, value)


def test_nothing_is_appended_behind_a_frame_that_failed(tmp_path: Path) -> None:
    log, requests = Refusing(), Requests()
    with serving(log, tmp_path) as gateway:
        stream = gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS)
        requests.send(opened())
        for sequence in range(2, 20):
            requests.send(follow(sequence))
        # The one before has no answer yet, so its client has not heard of the one that failed.
        deadline = time.monotonic() + SECONDS
        while log.appended < 2:
            assert time.monotonic() < deadline
        log.first.set_result(MemoryLog().append(EVENTS, RUN, b"").result())
        assert next(stream).durable_sequence == 1
        with pytest.raises(grpc.RpcError) as failed:
            next(stream)
        requests.send(None)
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert logged(log) == []


class Holding(MemoryLog):
    """Takes everything, and makes it durable when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[Future[Record], bytes]] = []
        self.is_holding = True

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        if not self.is_holding:
            return super().append(topic, key, value)
        done: Future[Record] = Future()
        self.held.append((done, value))
        return done

    def size(self) -> int:
        return sum(len(value) for _, value in list(self.held))

    def let_go(self) -> None:
        self.is_holding = False
        for done, value in self.held:
            done.set_result(super().append(EVENTS, RUN, value).result())


def test_of_large_frames_a_stream_has_a_bounded_number_of_bytes_under_way(tmp_path: Path) -> None:
    log, requests = Holding(), Requests()
    tags = {f"k{number}": "v" * 16_000 for number in range(100)}
    count = 2 * BYTES_IN_FLIGHT // 1_600_000
    with serving(log, tmp_path) as gateway:
        stream = gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS)
        requests.send(opened())
        for sequence in range(2, count + 2):
            event = event_pb2.Event(sequence=sequence, tags_set=event_pb2.TagsSet(tags=tags))
            requests.send(frame_pb2.Frame(events=[event]))
        deadline = time.monotonic() + SECONDS
        while log.size() < BYTES_IN_FLIGHT:
            assert time.monotonic() < deadline, log.size()
        # Others are served meanwhile, and it would have had the time to take more.
        for _ in range(50):
            assert reason(gateway.append([frame_pb2.Frame()])[0].status) == "INVALID_ID"
        assert log.size() <= BYTES_IN_FLIGHT + 1_700_000
        log.let_go()
        assert [next(stream).durable_sequence for _ in range(count + 1)] == list(range(1, count + 2))
        requests.send(None)


def test_a_gateway_that_stops_answers_what_it_took_and_ends_its_streams(tmp_path: Path) -> None:
    log, requests = MemoryLog(), [Requests() for _ in range(20)]
    with serving(log, tmp_path) as gateway:
        streams = [gateway.ingest.AppendEvents(iter(one), timeout=SECONDS) for one in requests]
        for place, (stream, one) in enumerate(zip(streams, requests, strict=True)):
            one.send(opened(place.to_bytes(16, "big")))
            assert next(stream).durable_sequence == 1
        gateway.drain()
        for stream, one in zip(streams, requests, strict=True):
            with pytest.raises(grpc.RpcError) as ended:
                next(stream)
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
            assert reason(status_of(ended.value)) == "DRAINING"
            one.send(None)
    assert len(logged(log)) == 20


def test_a_client_that_leaves_takes_back_nothing(tmp_path: Path) -> None:
    log, requests = MemoryLog(), Requests()
    with serving(log, tmp_path) as gateway:
        stream = gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS)
        requests.send(opened())
        next(stream)
        stream.cancel()
        requests.send(None)
        assert [answer.durable_sequence for answer in gateway.append([opened()])] == [1]
    assert len(logged(log)) == 2


def test_heartbeats_are_answered_and_change_nothing_of_the_frames_around_them(tmp_path: Path) -> None:
    log = MemoryLog()
    heartbeats = ingest_pb2.Heartbeats(run_ids=RUN, writer_ids=WRITER)
    requests = [
        ingest_pb2.AppendEventsRequest(frame=opened()),
        ingest_pb2.AppendEventsRequest(heartbeats=[heartbeats]),
        ingest_pb2.AppendEventsRequest(frame=follow(2)),
        ingest_pb2.AppendEventsRequest(heartbeats=[ingest_pb2.Heartbeats(run_ids=b"x", writer_ids=b"x")]),
    ]
    with serving(log, tmp_path) as gateway:
        answers = list(gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS))
    assert [answer.durable_sequence for answer in answers] == [1, 0, 2, 0]
    assert [reason(answer.status) for answer in answers] == ["", "", "", "INVALID_ID"]
    assert [answer.heartbeat_seconds for answer in answers] == [100, 0, 0, 0], "it is said once"
    # A gateway that stops writes what it gathered.
    assert [kinds(one)[0][1] for one in logged(log)] == ["run_started", "metrics_logged", "writers_heard"]
