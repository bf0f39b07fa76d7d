"""Writes to runs that ended, and changes from outside."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_ingest import replay
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from tests.ingest.gateway.serving import RUN, SECONDS, Served, finish, logged, reason, serving
from tests.ingest.gateway.test_control import refusal, whole
from tests.ingest.gateway.test_stream import Requests
from tests.ingest.materializer.builders import frame, in_own_process, metrics, start
from tests.ingest.materializer.warehouses import drain, opened

STRANGER = b"s" * 16


def opening(how: event_pb2.RunOpening.ValueType) -> event_pb2.Event:
    event = start(1)
    event.run_started.opening = how
    return event


def fate(gateway: Served, frame: frame_pb2.Frame) -> str:
    """The reason for which the frame was refused; "" when it is in the log."""
    (answer,) = gateway.append([frame])
    assert (answer.durable_sequence > 0) == (not answer.HasField("status"))
    if answer.HasField("status"):
        assert answer.status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
        assert RUN.hex() in answer.status.message
    return reason(answer.status)


def _ended(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    with serving(log, path, warehouse) as gateway:
        assert fate(gateway, frame(start(1), metrics(2, x=[(0, 1.0)]), finish(3))) == ""
        drain(log, warehouse, path)
        for how in (event_pb2.RUN_OPENING_JOIN, event_pb2.RUN_OPENING_CREATE, event_pb2.RUN_OPENING_UNSPECIFIED):
            assert fate(gateway, frame(opening(how), writer=STRANGER)) == "RUN_FINISHED"
        # What is there already is no write: its answer may have been lost.
        assert fate(gateway, frame(start(1), metrics(2, x=[(0, 1.0)]), finish(3))) == ""
        # The writer that was there may deliver what it still holds.
        assert fate(gateway, frame(metrics(4, x=[(1, 1.0)]))) == ""
        # What is said of a run that ended needs no end of its end.
        assert fate(gateway, frame(opening(event_pb2.RUN_OPENING_ANNOTATE), writer=b"a" * 16)) == ""
        assert fate(gateway, frame(opening(event_pb2.RUN_OPENING_RESUME), writer=STRANGER)) == ""
        drain(log, warehouse, path)
        assert fate(gateway, frame(metrics(2, x=[(2, 1.0)]), writer=b"t" * 16)) == ""
        request = ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), deleted=True)
        gateway.ingest.UpdateRun(request, timeout=SECONDS)
        drain(log, warehouse, path)
        assert fate(gateway, frame(start(1), metrics(2, x=[(0, 1.0)]), finish(3))) == ""
        assert fate(gateway, frame(start(1), writer=b"v" * 16)) == "RUN_DELETED"
        for writer in (STRANGER, b"u" * 16):
            resumed = frame(opening(event_pb2.RUN_OPENING_RESUME), metrics(2, y=[(0, 1.0)]), writer=writer)
            assert fate(gateway, resumed) == "RUN_DELETED"
            assert fate(gateway, frame(metrics(9, x=[(3, 1.0)]), writer=writer)) == "RUN_DELETED"
        gateway.ingest.UpdateRun(ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), deleted=False), timeout=SECONDS)
        drain(log, warehouse, path)
        assert fate(gateway, frame(metrics(2, x=[(3, 1.0)]), writer=STRANGER)) == ""
    warehouse.close()


def test_a_run_that_ended_is_resumed_delivered_to_or_refused(tmp_path: Path) -> None:
    in_own_process(_ended, tmp_path)


def _outside(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    with serving(log, path, warehouse) as gateway:
        gateway.append([frame(start(1))])
        drain(log, warehouse, path)
        request = ingest_pb2.UpdateRunRequest(
            run_id=RUN.hex(), request_id=b"r" * 16, name="renamed", tags={"a": "1"}, deleted_tags=["b"]
        )
        for _ in range(3):
            position = gateway.ingest.UpdateRun(request, timeout=SECONDS).position
        assert position.offsets[0].next_offset == log.next_offset(Partition(EVENTS, position.offsets[0].partition))
        drain(log, warehouse, path)
        assert replay.applied(log, warehouse)
        writers = {one.writer_id for one in logged(log)}
        assert len(writers) == 2
        request.name = "another name"
        reused = (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ID_REUSED")
        assert refusal(lambda: gateway.ingest.UpdateRun(request, timeout=SECONDS)) == reused
        update = gateway.ingest.UpdateRun
        missing = ingest_pb2.UpdateRunRequest(run_id="0" * 32, name="x")
        assert refusal(lambda: update(missing, timeout=SECONDS)) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
        foreign = ingest_pb2.UpdateRunRequest(namespace="other", run_id=RUN.hex(), name="x")
        assert refusal(lambda: update(foreign, timeout=SECONDS)) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
        for wrong, why in (
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex()), "NOTHING_TO_CHANGE"),
            (ingest_pb2.UpdateRunRequest(run_id="../../etc", name="x"), "INVALID_ID"),
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), request_id=b"x", name="x"), "INVALID_ID"),
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), state=99), "STATE_INVALID"),  # type: ignore[arg-type]
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), tags={"a//b": ""}), "KEY_INVALID"),
        ):
            assert refusal(lambda wrong=wrong: update(wrong, timeout=SECONDS)) == (  # type: ignore[misc]
                grpc.StatusCode.INVALID_ARGUMENT,
                why,
            )
        for state, end, payload in (
            (event_pb2.RUN_STATE_FINISHED, 5, "run_finished"),
            (event_pb2.RUN_STATE_FINISHED, 0, "run_updated"),
            (event_pb2.RUN_STATE_SCHEDULED, None, "run_updated"),
        ):
            update(ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), state=state, end_time_millis=end), timeout=SECONDS)
            assert [event.WhichOneof("payload") for event in logged(log)[-1].events] == ["run_started", payload]
    warehouse.close()


def test_changes_from_outside_are_durable_and_checked(tmp_path: Path) -> None:
    in_own_process(_outside, tmp_path)


def _while_open(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    with serving(log, path, warehouse, again_seconds=0.1) as gateway:
        requests = Requests()
        stream = gateway.ingest.AppendEvents(iter(requests), timeout=SECONDS)
        requests.send(frame(start(1)))
        assert next(stream).durable_sequence == 1
        drain(log, warehouse, path)
        gateway.ingest.UpdateRun(ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), deleted=True), timeout=SECONDS)
        drain(log, warehouse, path)

        def until(reason_wanted: str, sequence: int) -> int:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                requests.send(frame(metrics(sequence, x=[(sequence, 1.0)])))
                answer = next(stream)
                if reason(answer.status) == reason_wanted:
                    return sequence + 1
                sequence += 1
            raise AssertionError(reason_wanted)

        following = until("RUN_DELETED", 2)
        # Once it is known, nothing more is taken, and what was refused counts as answered.
        before = log_size(log)
        for sequence in range(following, following + 20):
            requests.send(frame(metrics(sequence, x=[(sequence, 1.0)])))
            assert reason(next(stream).status) == "RUN_DELETED"
        assert log_size(log) == before
        gateway.ingest.UpdateRun(ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), deleted=False), timeout=SECONDS)
        drain(log, warehouse, path)
        requests.send(frame(metrics(following + 20, x=[(0, 2.0)])))
        assert next(stream).durable_sequence == following + 20
        requests.send(None)
    warehouse.close()


def log_size(log: MemoryLog) -> int:
    return sum(log.next_offset(Partition(EVENTS, number)) for number in range(log.partitions(EVENTS)))


def test_a_stream_that_is_open_notices_that_its_run_was_deleted_and_restored(tmp_path: Path) -> None:
    in_own_process(_while_open, tmp_path)


def _positions(path: Path) -> None:
    with whole(path, MemoryLog()) as gateway:
        for number in range(10):
            run = number.to_bytes(16, "big")
            (answer,) = gateway.append([frame(start(1), run=run)])
            request = ingest_pb2.UpdateRunRequest(run_id=run.hex(), name="renamed", at_least=answer.position)
            gateway.ingest.UpdateRun(request, timeout=SECONDS)
        request.at_least.offsets[0].next_offset += 1_000
        late = (grpc.StatusCode.DEADLINE_EXCEEDED, "POSITION_NOT_REACHED")
        assert refusal(lambda: gateway.ingest.UpdateRun(request, timeout=0.5))[0] == late[0]
        request.at_least.offsets[0].topic = "nothing"
        wrong = (grpc.StatusCode.INVALID_ARGUMENT, "POSITION_INVALID")
        assert refusal(lambda: gateway.ingest.UpdateRun(request, timeout=SECONDS)) == wrong


def test_a_run_can_be_changed_as_soon_as_it_is_durable(tmp_path: Path) -> None:
    in_own_process(_positions, tmp_path)
