"""Changes of many runs alike, by one call."""

from __future__ import annotations

from pathlib import Path

import grpc
from fleetlog_core import limits
from fleetlog_core.log.memory import MemoryLog
from fleetlog_ingest import replay
from fleetlog_proto.v1 import event_pb2, ingest_pb2

from tests.ingest.gateway.serving import SECONDS, logged, serving
from tests.ingest.gateway.test_control import refusal
from tests.ingest.materializer.builders import frame, in_own_process, start
from tests.ingest.materializer.warehouses import drain, opened

REQUEST = b"r" * 16
RUNS = [number.to_bytes(16, "big") for number in range(1, 41)]
ABSENT = "0" * 32


def asked(*run_ids: bytes, **fields: object) -> ingest_pb2.UpdateRunsRequest:
    return ingest_pb2.UpdateRunsRequest(run_ids=[one.hex() for one in run_ids], **fields)  # type: ignore[arg-type]


def _changed(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    with serving(log, path, warehouse) as gateway:
        update = gateway.ingest.UpdateRuns
        gateway.append([frame(start(1), run=run) for run in RUNS])
        drain(log, warehouse, path)
        request = asked(*RUNS, RUNS[0], request_id=REQUEST, tags={"a": "1"}, deleted_tags=["b"], deleted=True)
        request.run_ids.append(ABSENT)
        for _ in range(2):
            answer = update(request, timeout=SECONDS)
            assert list(answer.missing_run_ids) == [ABSENT]
        drain(log, warehouse, path)
        assert replay.applied(log, warehouse)
        for run in RUNS:
            frames = logged(log, run)
            assert {one.writer_id for one in frames[1:]} == {REQUEST}
            payloads = [event.WhichOneof("payload") for event in frames[-1].events]
            assert payloads == ["run_started", "tags_deleted", "tags_set", "run_deleted"]
        # What is applied already is told from another change under its id, whichever call asks for it.
        other = asked(RUNS[0], request_id=REQUEST, tags={"a": "2"})
        reused = (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ID_REUSED")
        assert refusal(lambda: update(other, timeout=SECONDS)) == reused
        one = ingest_pb2.UpdateRunRequest(
            run_id=RUNS[0].hex(), request_id=REQUEST, tags={"a": "1"}, deleted_tags=["b"], deleted=True
        )
        gateway.ingest.UpdateRun(one, timeout=SECONDS)
        foreign = update(asked(*RUNS, namespace="other", deleted=False), timeout=SECONDS)
        assert list(foreign.missing_run_ids) == [run.hex() for run in RUNS]
        assert not foreign.position.offsets
    warehouse.close()


def test_many_runs_are_changed_alike_and_a_retry_changes_nothing(tmp_path: Path) -> None:
    in_own_process(_changed, tmp_path)


def _refused(path: Path) -> None:
    log, warehouse = MemoryLog(), opened(path)
    with serving(log, path, warehouse) as gateway:
        gateway.append([frame(start(1), run=run) for run in RUNS])
        drain(log, warehouse, path)
        before = [len(logged(log, run)) for run in RUNS]
        heavy = {f"k{number}": "x" * limits.TEXT_BYTES for number in range(60)}
        wrong = grpc.StatusCode.INVALID_ARGUMENT
        for request, code, reason in (
            (asked(tags={"a": "1"}), wrong, "OVER_LIMIT"),
            (asked(*[bytes(16)] * (limits.RUNS_PER_UPDATE + 1), tags={"a": "1"}), wrong, "OVER_LIMIT"),
            (asked(*RUNS), wrong, "NOTHING_TO_CHANGE"),
            (asked(*RUNS, request_id=b"x", deleted=True), wrong, "INVALID_ID"),
            (ingest_pb2.UpdateRunsRequest(run_ids=["a/b"], deleted=True), wrong, "INVALID_ID"),
            (asked(*RUNS, state=99), wrong, "STATE_INVALID"),
            (asked(*RUNS, tags={"a//b": ""}), wrong, "KEY_INVALID"),
            (asked(*RUNS, tags=heavy), grpc.StatusCode.RESOURCE_EXHAUSTED, "UPDATE_TOO_LARGE"),
        ):
            found = refusal(lambda request=request: gateway.ingest.UpdateRuns(request, timeout=SECONDS))  # type: ignore[misc]
            assert found == (code, reason)
        assert [len(logged(log, run)) for run in RUNS] == before
        gateway.ingest.UpdateRuns(asked(RUNS[0], tags=heavy), timeout=SECONDS)
        gateway.ingest.UpdateRuns(asked(*RUNS, state=event_pb2.RUN_STATE_FINISHED), timeout=SECONDS)
        assert [len(logged(log, run)) for run in RUNS] == [before[0] + 2, *(count + 1 for count in before[1:])]
    warehouse.close()


def test_a_change_that_is_refused_changes_no_run(tmp_path: Path) -> None:
    in_own_process(_refused, tmp_path)
