"""Clients that ask for much and read nothing: memory stays bounded and goes back, and others are answered."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import fleetlog
import grpc
import numpy as np
import pytest
from fleetlog_core import limits
from fleetlog_proto.v1 import metric_pb2, query_pb2_grpc

from tests.end_to_end.refusals import SECONDS, Refusal, refused
from tests.end_to_end.test_kill import start
from tests.faults.sizes import sized
from tests.ports import free_port
from tests.waiting import reached

MIB = 1024 * 1024
ANSWER_BYTES = 64 * MIB
POINTS = sized(1_500_000, 20_000_000)
READERS = sized(24, 200)
EXPERIMENT = "unread"
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", limits.RESPONSE_BYTES))
"""A connection of their own for each client."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, str]]:
    """Its target and process id, and a run with one long series."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FLEETLOG_QUERY_ANSWER_BYTES", str(ANSWER_BYTES))
    patch.setenv("FLEETLOG_QUERY_CLIENT_ANSWER_BYTES", str(ANSWER_BYTES))
    port = free_port()
    process = start(tmp_path_factory.mktemp("unread"), port)
    patch.undo()
    target = f"127.0.0.1:{port}"
    try:
        run = fleetlog.start_run(EXPERIMENT, target=target)
        run.log_series("x", steps=np.arange(POINTS), values=np.arange(POINTS) / 7)
        run.finish()
        run.flush(timeout=120, level="applied")
        yield target, process.pid, run.id
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def memory(pid: int) -> int:
    """Bytes of the process that are in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def points_of(target: str, run_id: str) -> int:
    with grpc.insecure_channel(target, OPTIONS) as channel:
        request = metric_pb2.ReadMetricRequest(run_ids=[run_id], keys=["x"])
        answers = query_pb2_grpc.QueryServiceStub(channel).ReadMetric(request, timeout=2 * SECONDS)
        return sum(len(part.points.values) // 8 for answer in answers for part in answer.parts)


def test_reads_that_nobody_takes_are_bounded_and_their_memory_goes_back(server: tuple[str, int, str]) -> None:
    target, pid, run_id = server
    assert points_of(target, run_id) == POINTS
    before = memory(pid)
    with grpc.insecure_channel(target, OPTIONS) as channel:
        stub = query_pb2_grpc.QueryServiceStub(channel)
        request = metric_pb2.ReadMetricRequest(run_ids=[run_id], keys=["x"])
        calls = [stub.ReadMetric(request, timeout=4 * SECONDS) for _ in range(READERS)]
        # Another client is served beside them, whole.
        assert points_of(target, run_id) == POINTS
        most = memory(pid)
        # Those that found no room, or held it without reading, are told so.
        reached(lambda: not all(call.is_active() for call in calls), 2 * SECONDS)
        most = max(most, memory(pid))
        done = next(call for call in calls if not call.is_active())
        told: Refusal = refused(lambda: list(done))
        assert (told.code, told.reason in ("TOO_MANY_ANSWERS", "READER_TOO_SLOW")) == ("RESOURCE_EXHAUSTED", True)
        for call in calls:
            call.cancel()
    # The bound, and what is decoded in the threads that read.
    assert most - before < ANSWER_BYTES + 400 * MIB
    reached(lambda: memory(pid) - before < 200 * MIB, SECONDS)
