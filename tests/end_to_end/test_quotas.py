"""What a namespace may store, as those who write meet it: told with limit and use, and what is there goes on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_core.rates.limits import Quotas, ServerLimits
from fleetlog_deploy.node import Node
from fleetlog_ingest.gateway import quotas
from fleetlog_proto.v1 import ingest_pb2

from tests.core.serving.numbers import numbers


@pytest.fixture
def limited(embedded: tuple[Node, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Node, fleetlog.Client]]:
    """A server that has no quotas again after the test, which looks at each use anew, and a namespace of the test's."""
    node, target = embedded
    monkeypatch.setattr(quotas, "READ_SECONDS", 0.0)
    with fleetlog.Client(target, f"quota-{uuid.uuid4().hex[:12]}") as client:
        yield node, client
    node.limiter.change(ServerLimits())


def made(client: fleetlog.Client) -> fleetlog.Run:
    """A run of one point that can be read."""
    with fleetlog.start_run("x", target=client.target, namespace=client.namespace) as run:
        run.log({"a": 1.0}, step=0)
    client.flush(timeout=120, level="applied")
    return run


def log_run(client: fleetlog.Client, run_id: str = "") -> str:
    """A run by one call, whose answer says whether it was taken."""
    request = ingest_pb2.LogRunRequest(
        namespace=client.namespace, request_id=uuid.uuid4().bytes, run_id=run_id, experiment_name="x"
    )
    connection = connection_to(client.target)
    answer = connection.call(connection.ingest.LogRun, request, 60)
    connection.saw(answer.position)
    return answer.run_id


def test_a_run_too_many_is_refused_and_those_that_are_there_go_on(limited: tuple[Node, fleetlog.Client]) -> None:
    node, client = limited
    first, second = made(client), made(client)
    node.limiter.change(ServerLimits(quotas=Quotas(runs=2)))
    with pytest.raises(fleetlog.ResourceExhausted, match="has 2 of 2 runs") as refused:
        log_run(client)
    assert (refused.value.reason, refused.value.metadata) == ("STORED_RUNS", {"use": "2", "limit": "2"})
    assert log_run(client, first.id) == first.id
    with pytest.raises(fleetlog.ResourceExhausted):
        client.import_runs({"metrics.a": [1.0]}, "x")
    client.delete_run(second.id)
    with pytest.raises(fleetlog.ResourceExhausted):
        log_run(client)
    connection = connection_to(client.target)
    purge = ingest_pb2.PurgeRunRequest(
        namespace=client.namespace, run_id=second.id, request_id=uuid.uuid4().bytes, at_least=connection.position()
    )
    connection.saw(connection.ingest.PurgeRun(purge, timeout=60).position)
    with pytest.raises(fleetlog.NotFound):
        client.get_run(second.id)
    assert log_run(client)


def test_a_training_that_has_no_room_is_told_and_makes_no_run(limited: tuple[Node, fleetlog.Client]) -> None:
    node, client = limited
    there = made(client)
    node.limiter.change(ServerLimits(quotas=Quotas(runs=1)))
    before = numbers(node.telemetry.text()).get(("fleetlog_refused_total", "STORED_RUNS"), 0.0)
    with fleetlog.start_run("x", target=client.target, namespace=client.namespace) as run:
        for step in range(5):
            run.log({"a": 1.0}, step=step)
    with fleetlog.start_run(resume=there.id, target=client.target, namespace=client.namespace) as resumed:
        resumed.log({"a": 2.0}, step=1)
    client.flush(timeout=120, level="applied")
    with pytest.raises(fleetlog.NotFound):
        client.get_run(run.id)
    assert client.get_run(there.id).metrics == {"a": 2.0}
    assert numbers(node.telemetry.text())[("fleetlog_refused_total", "STORED_RUNS")] > before


def test_files_beyond_the_bytes_of_a_namespace_are_refused(
    limited: tuple[Node, fleetlog.Client], tmp_path: Path
) -> None:
    node, client = limited
    run = made(client)
    header = ingest_pb2.UploadHeader(
        namespace=client.namespace, run_id=run.id, path="big.bin", size_bytes=200, sha256=bytes(32)
    )
    connection = connection_to(client.target)
    node.limiter.change(ServerLimits(quotas=Quotas(artifact_bytes=100)))
    with pytest.raises(
        fleetlog.ResourceExhausted, match="has 0 of 100 bytes of files, and this one has 200"
    ) as refused:
        connection.call(connection.ingest.BeginUpload, ingest_pb2.BeginUploadRequest(header=header), 60)
    assert refused.value.reason == "STORED_BYTES"
    (tmp_path / "small.txt").write_bytes(b"x" * 60)
    (tmp_path / "more.txt").write_bytes(b"y" * 60)
    with fleetlog.start_run(resume=run.id, target=client.target, namespace=client.namespace) as resumed:
        for name in ("small.txt", "more.txt"):
            resumed.log_artifact(tmp_path / name)
            resumed.flush(timeout=120, level="applied")
    assert [file.path for file in client.list_artifacts(run.id)] == ["small.txt"]
