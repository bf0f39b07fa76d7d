"""Writes to runs that ended, and changes from outside."""

from __future__ import annotations

from pathlib import Path

import grpc
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_ingest import replay
from fleetlog_ingest.gateway.runs import needs_look
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2

from tests.ingest.gateway.serving import RUN, SECONDS, Served, finish, logged, reason, serving
from tests.ingest.gateway.test_control import refusal
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
        joined = frame(opening(event_pb2.RUN_OPENING_JOIN), writer=STRANGER)
        assert fate(gateway, joined) == "RUN_FINISHED"
        # The writer that was there may deliver what it still holds.
        assert fate(gateway, frame(metrics(4, x=[(1, 1.0)]))) == ""
        assert fate(gateway, frame(opening(event_pb2.RUN_OPENING_RESUME), writer=STRANGER)) == ""
        drain(log, warehouse, path)
        assert fate(gateway, frame(metrics(2, x=[(2, 1.0)]), writer=b"t" * 16)) == ""
        request = ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), deleted=True)
        gateway.ingest.UpdateRun(request, timeout=SECONDS)
        drain(log, warehouse, path)
        for writer in (STRANGER, b"u" * 16):
            resumed = frame(opening(event_pb2.RUN_OPENING_RESUME), writer=writer)
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
        update = gateway.ingest.UpdateRun
        missing = ingest_pb2.UpdateRunRequest(run_id="0" * 32, name="x")
        assert refusal(lambda: update(missing, timeout=SECONDS)) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
        foreign = ingest_pb2.UpdateRunRequest(namespace="other", run_id=RUN.hex(), name="x")
        assert refusal(lambda: update(foreign, timeout=SECONDS)) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
        for wrong, why in (
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex()), "NOTHING_TO_CHANGE"),
            (ingest_pb2.UpdateRunRequest(run_id="../../etc", name="x"), "INVALID_ID"),
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), request_id=b"x", name="x"), "INVALID_ID"),
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), state=event_pb2.RUN_STATE_RUNNING), "STATE_INVALID"),
            (ingest_pb2.UpdateRunRequest(run_id=RUN.hex(), tags={"a//b": ""}), "KEY_INVALID"),
        ):
            assert refusal(lambda wrong=wrong: update(wrong, timeout=SECONDS)) == (  # type: ignore[misc]
                grpc.StatusCode.INVALID_ARGUMENT,
                why,
            )
    warehouse.close()


def test_changes_from_outside_are_durable_and_checked(tmp_path: Path) -> None:
    in_own_process(_outside, tmp_path)


def test_only_the_first_frame_of_a_new_run_needs_no_look() -> None:
    assert not needs_look(frame(start(1)))
    assert not needs_look(frame(opening(event_pb2.RUN_OPENING_CREATE)))
    assert needs_look(frame(opening(event_pb2.RUN_OPENING_JOIN)))
    assert needs_look(frame(opening(event_pb2.RUN_OPENING_RESUME)))
    assert needs_look(frame(metrics(2, x=[(0, 1.0)])))
