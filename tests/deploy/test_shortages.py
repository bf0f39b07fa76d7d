"""A server that lacks something: it says so, waits, loses nothing, and goes on by itself when it is there again."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fleetlog as client
import grpc
import pytest
from fleetlog.errors import DeadlineExceeded
from fleetlog_core.ids import new_random_id
from fleetlog_core.log.port import DEAD_LETTERS, Partition
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_proto.v1 import ingest_pb2, ingest_pb2_grpc
from google.rpc import error_details_pb2

from tests.deploy.processes import Up, up
from tests.deploy.watching import NOT_SERVING, SERVING, get, health
from tests.ingest.gateway.serving import status_of
from tests.waiting import reached

INGEST, QUERY, MATERIALIZER = "fleetlog.v1.IngestService", "fleetlog.v1.QueryService", "fleetlog.v1.Materializer"


@contextmanager
def lacking(server: Up, kind: int, soft: int) -> Iterator[None]:
    """The server may have no more of it than `soft`."""
    pid = server.process.pid
    before, hard = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (soft, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, (before, hard))


def no_dead_letters(data: Path) -> bool:
    log = SqliteLog(data / "log" / "events.sqlite")
    try:
        return log.next_offset(Partition(DEAD_LETTERS, 0)) == 0
    finally:
        log.close()


def lines(data: Path) -> list[str]:
    return (data / "logs" / "fleetlog.log").read_text().splitlines()


@pytest.mark.timeout(240)
def test_a_log_that_takes_no_writes_is_told_once_and_everywhere(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--port", "0", "--metrics-port", "0") as server:
        run = client.start_run(target=server.target, experiment="Default")
        run.log({"x": 0.0}, step=0)
        run.flush(60, "applied")
        with lacking(server, resource.RLIMIT_FSIZE, 4_096), grpc.insecure_channel(server.target) as channel:
            for step in range(1, 100):
                run.log({"x": float(step)}, step=step)
            reached(lambda: get(server, "readyz")[0] == 503)
            assert "the event log takes no writes: the log can't be written" in get(server, "readyz")[1]
            reached(lambda: health(server, INGEST) == NOT_SERVING)
            assert (health(server), health(server, QUERY)) == (SERVING, SERVING)
            assert get(server, "healthz") == (200, "ok\n")
            request = ingest_pb2.UpdateRunRequest(run_id=run.id, name="another", request_id=new_random_id())
            with pytest.raises(grpc.RpcError) as failed:
                ingest_pb2_grpc.IngestServiceStub(channel).UpdateRun(request, timeout=30)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
            assert failed.value.details() in (
                "the event log can't be used now: its disk is full; retry",
                "the event log can't be used now: its disk fails; retry",
            )
            status = status_of(failed.value)
            retry = error_details_pb2.RetryInfo()
            assert any(detail.Unpack(retry) for detail in status.details)
            assert retry.retry_delay.seconds >= 1
        # Nobody else needs to write for it to be found out.
        reached(lambda: get(server, "readyz") == (200, "ok\n"))
        assert health(server, INGEST) == SERVING
        run.finish(timeout=60)
        reader = client.Client(server.target)
        assert reader.read_metric(run.id, "x").steps.tolist() == list(range(100))
        assert server.stop(signal.SIGTERM) == 0
    said = [line for line in lines(data) if "the event log" in line]
    assert len(said) == 1, said
    assert len([line for line in lines(data) if line.endswith(" ready")]) == 2
    assert no_dead_letters(data)


@pytest.mark.timeout(240)
def test_too_many_open_files_make_points_wait_and_end_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--port", "0", "--metrics-port", "0") as server:
        run = client.start_run(target=server.target, experiment="Default")
        run.log({"x": 0.0}, step=0)
        run.flush(60, "applied")
        descriptors = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        with lacking(server, resource.RLIMIT_NOFILE, descriptors // 2):
            for step in range(1, 200):
                run.log({"x": float(step)}, step=step)
            # In the log, whose files are open.
            run.flush(60)
            with pytest.raises(DeadlineExceeded):
                run.flush(5, "applied")
        reached(lambda: get(server, "readyz")[0] == 200)
        run.finish(timeout=60)
        assert client.Client(server.target).read_metric(run.id, "x").steps.tolist() == list(range(200))
        assert server.stop(signal.SIGTERM) == 0
    told = [line for line in lines(data) if "not ready: batches can't be applied" in line]
    assert len(told) == 1, told
    assert no_dead_letters(data)


@pytest.mark.timeout(240)
def test_artifacts_that_wait_for_their_store_are_told_by_a_server_that_is_ready(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "file").write_bytes(b"content")
    with up(data, "--port", "0", "--metrics-port", "0") as server:
        run = client.start_run(target=server.target, experiment="Default")
        (data / "objects").rename(data / "away")
        run.log_artifact(tmp_path / "file")
        run.log({"x": 1.0}, step=1)
        run.flush(60, "applied")
        reader = client.Client(server.target)
        assert [problem.reason for problem in reader.get_run(run.id).problems] == ["ARTIFACT_PENDING"]
        assert list(reader.list_artifacts(run.id)) == []
        reached(lambda: "artifacts wait for their store" in get(server, "readyz")[1])
        assert get(server, "readyz")[0] == 200
        assert health(server, MATERIALIZER) == SERVING
        (data / "away").rename(data / "objects")
        reached(lambda: [artifact.path for artifact in reader.list_artifacts(run.id)] == ["file"])
        # It shows a moment before it is no longer told of as pending.
        reached(lambda: reader.get_run(run.id).problems == [])
        reached(lambda: get(server, "readyz") == (200, "ok\n"))
        run.finish(timeout=60)
        assert server.stop(signal.SIGTERM) == 0
    assert no_dead_letters(data)
    assert len([line for line in lines(data) if "ready, but: artifacts wait" in line]) == 1
