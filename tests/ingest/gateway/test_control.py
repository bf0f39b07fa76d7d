"""Intents over a gateway, a memory log and a materializer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_ingest.materializer.loop.loop import Materializer
from fleetlog_proto.v1 import experiment_pb2, ingest_pb2

from tests.ingest.gateway.serving import SECONDS, Served, reason, serving, status_of
from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.warehouses import opened


@contextmanager
def whole(path: Path, log: MemoryLog) -> Iterator[Served]:
    """A gateway and a materializer over one log and one warehouse."""
    warehouse = opened(path)
    materializer = Materializer(log, warehouse, FolderStore(path / "objects"))
    thread = threading.Thread(target=materializer.run)
    thread.start()
    try:
        with serving(log, path, warehouse) as gateway:
            yield gateway
    finally:
        materializer.stop()
        thread.join(60)
        warehouse.close()


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), reason(status_of(error.value))


def _idempotent(path: Path) -> None:
    log = MemoryLog()
    with whole(path, log) as gateway:

        def create(request: int, name: str, exist_ok: bool = False, namespace: str = "") -> experiment_pb2.Experiment:
            request_id = request.to_bytes(16, "big")
            message = ingest_pb2.CreateExperimentRequest(
                namespace=namespace, request_id=request_id, name=name, tags={"k": "v"}, exist_ok=exist_ok
            )
            return gateway.ingest.CreateExperiment(message, timeout=SECONDS).experiment

        first = create(1, "one")
        assert (first.experiment_id, first.name, dict(first.tags)) == (1, "one", {"k": "v"})
        # Sent again, for example because the answer was lost: the same outcome, nothing new.
        assert create(1, "one") == first
        reused = (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ID_REUSED")
        assert refusal(lambda: create(1, "another name with the old request id")) == reused
        assert refusal(lambda: create(1, "one", exist_ok=True)) == reused
        other = ingest_pb2.DeleteExperimentRequest(request_id=(1).to_bytes(16, "big"), experiment_id=1)
        assert refusal(lambda: gateway.ingest.DeleteExperiment(other, timeout=SECONDS)) == reused
        # The first one's outcome stands.
        assert create(1, "one") == first
        assert refusal(lambda: create(2, "one")) == (grpc.StatusCode.ALREADY_EXISTS, "EXPERIMENT_EXISTS")
        assert refusal(lambda: create(2, "one")) == (grpc.StatusCode.ALREADY_EXISTS, "EXPERIMENT_EXISTS")
        assert refusal(lambda: create(2, "two")) == reused
        assert create(3, "one", exist_ok=True).experiment_id == 1
        assert create(1, "one", namespace="other").experiment_id == 1
        assert create(4, "two").experiment_id == 2
        before = log.next_offset(Partition(CONTROL, 0))
        for name, why in (("", "NAME_EMPTY"), ("x" * 501, "NAME_TOO_LONG"), ("a\nb", "NAME_INVALID")):
            assert refusal(lambda name=name: create(5, name)) == (grpc.StatusCode.INVALID_ARGUMENT, why)  # type: ignore[misc]
        short = ingest_pb2.CreateExperimentRequest(request_id=b"short", name="three")
        found = refusal(lambda: gateway.ingest.CreateExperiment(short, timeout=SECONDS))
        assert found == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ID")
        # What is wrong in itself never reaches the log.
        assert log.next_offset(Partition(CONTROL, 0)) == before


def test_an_intent_sent_again_has_the_outcome_it_had(tmp_path: Path) -> None:
    in_own_process(_idempotent, tmp_path)


def _side_by_side(path: Path) -> None:
    found: list[int] = []
    with whole(path, MemoryLog()) as gateway:

        def create() -> None:
            message = ingest_pb2.CreateExperimentRequest(name="shared", exist_ok=True)
            found.append(gateway.ingest.CreateExperiment(message, timeout=SECONDS).experiment.experiment_id)

        threads = [threading.Thread(target=create) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [1] * 16


def test_sixteen_who_make_the_same_experiment_get_the_same(tmp_path: Path) -> None:
    in_own_process(_side_by_side, tmp_path)


def test_an_intent_that_is_not_applied_in_time_says_so(tmp_path: Path) -> None:
    log = MemoryLog()
    with serving(log, tmp_path) as gateway:
        message = ingest_pb2.CreateExperimentRequest(name="x")
        with pytest.raises(grpc.RpcError) as error:
            gateway.ingest.CreateExperiment(message, timeout=0.5)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        log.close()
        found = refusal(lambda: gateway.ingest.CreateExperiment(message, timeout=SECONDS))
        assert found == (grpc.StatusCode.UNAVAILABLE, "BACKEND_UNAVAILABLE")
