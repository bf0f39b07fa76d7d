"""kill -9 of the whole server amid the making of branches: each is there once and whole, when it is asked for again."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog.errors import Unavailable
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_proto.v1 import ingest_pb2

from tests.deploy.processes import Up, running
from tests.deploy.processes import fleetlog as command
from tests.ports import free_port
from tests.waiting import reached

METRICS, STEPS, KEPT = 300, 10, 6


def records(data: Path) -> int:
    """Number of records in the log."""
    with closing(sqlite3.connect(f"file:{data / 'log' / 'events.sqlite'}?mode=ro", uri=True)) as log:
        return int(log.execute("SELECT count(*) FROM records").fetchone()[0])


def has_more(data: Path, than: int) -> bool:
    """True if the log has more records."""
    return records(data) > than


def branch_of(target: str, run_id: str, *, rewinds: bool, is_sent: threading.Event) -> str:
    """The id of a branch that is asked for until a server says that it is there."""
    connection = connection_to(target)
    request = ingest_pb2.BranchRunRequest(
        namespace="default", run_id=run_id, step=KEPT - 1, rewinds=rewinds, branch_run_id=new_run_id(),
        request_id=new_random_id(), at_least=connection.position(),
    )  # fmt: skip
    for _ in range(60):
        is_sent.set()
        try:
            return connection.call(connection.ingest.BranchRun, request).branch_run_id
        except Unavailable:
            connection.renew()
    raise AssertionError("no server made the branch")


@pytest.mark.timeout(600)
def test_a_branch_that_is_being_made_when_the_server_is_killed_is_there_once_and_whole(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    with ExitStack() as stack, ThreadPoolExecutor(1) as caller:

        def started() -> Up:
            err = stack.enter_context((tmp_path / "up.log").open("a"))
            return stack.enter_context(running("up", "--data", str(data), "--port", str(port), err=err))

        server = started()
        target = server.target
        with fleetlog.start_run("train", target=target) as run:
            for step in range(STEPS):
                run.log({f"metric_{number}": float(step) for number in range(METRICS)}, step=step)
        made = []
        for rewinds, waits_for_log in ((False, False), (False, True), (True, True)):
            before, is_sent = records(data), threading.Event()
            asked = caller.submit(branch_of, target, run.id, rewinds=rewinds, is_sent=is_sent)
            assert is_sent.wait(60)
            if waits_for_log:
                reached(partial(has_more, data, before))
            server.process.kill()
            server.process.wait()
            server = started()
            made.append(asked.result(300))
        client = fleetlog.Client(target)
        assert {one.id for one in client.search_runs(experiments=["train"])} == set(made)
        assert [one.id for one in client.branches(run.id)] == [run.id, made[-1]]
        for branch in made:
            view = client.get_run(branch)
            assert view.problems == []
            assert len(view.metrics) == METRICS
            summary = view.summary("metric_7")
            assert (summary.count, summary.last_step, summary.mean) == (KEPT, KEPT - 1, (KEPT - 1) / 2)
            assert client.read_metric(branch, "metric_7").steps.tolist() == list(range(KEPT))
        server.process.terminate()
        assert server.process.wait(60) == 0
    (verified,) = command(("replay", "--verify", "--data", data))
    assert verified.code == 0, verified.out + verified.err
