"""What it costs to know callers: served ones, denied ones, and what a foreign run gives away by its time.

Two servers, with tokens and without, are asked in turn, so that whatever else the machine does weighs on both. What a
denied call costs is CPU time of the server's process, by the kernel's count.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress

import fleetlog
import grpc
import psutil
from fleetlog_proto.v1 import query_pb2, query_pb2_grpc

from benchmarks.figure import Figure, quantile
from benchmarks.server import Embedded, running

CALLS = 400
FOREIGN_CALLS = 200
LOAD = 300
"""Calls of each kind whose CPU time is counted together."""
ROUNDS = 3
IDLE_SECONDS = 3.0
"""Seconds in which the server has nothing to do, whose CPU time is taken off."""
RUNS = 1_000
NAMESPACE = "vision"
Call = Callable[[], object]
Metadata = tuple[tuple[str, str], ...]


def measure() -> Iterator[Figure]:
    """On servers of their own."""
    with ExitStack() as stack:
        known, open_to_all = stack.enter_context(running("--auth")), stack.enter_context(running())
        admin = (known.data / "admin.token").read_text(encoding="ascii").strip()
        run, others = _filled(known, admin), _filled(open_to_all, "")
        token = _reader(known, admin)
        asked, free = (
            query_pb2_grpc.QueryServiceStub(stack.enter_context(grpc.insecure_channel(server.target)))
            for server in (known, open_to_all)
        )
        shown = _metadata(token)
        calls: list[Call] = [lambda: asked.GetRun(_get(run), metadata=shown), lambda: free.GetRun(_get(others))]
        halves = [[quantile(seconds, 0.5) * 1e3 for seconds in _in_turn(calls, CALLS)] for _ in range(ROUNDS)]
        with_token, without = sorted(halves, key=lambda pair: pair[0] - pair[1])[ROUNDS // 2]
        beside = with_token - without
        detail = f"p50 {with_token:.2f} ms of a run, {without:.2f} without; the middle one of {ROUNDS} rounds"
        yield Figure("a call of a caller who is known, beside one of anybody", beside, "ms", 0.2, True, detail)
        yield from _denied(asked, shown, known.pid)
        yield _foreign(asked, shown, run)


def _denied(asked: query_pb2_grpc.QueryServiceStub, shown: Metadata, pid: int) -> Iterator[Figure]:
    """Server's CPU time of calls that are denied, by that of the search that they ask for."""
    search = query_pb2.SearchRunsRequest(
        namespace=NAMESPACE, filter="metrics.loss < 0.5 AND params.lr > 0.1", page_size=10
    )
    elsewhere = query_pb2.SearchRunsRequest(namespace="elsewhere", filter=search.filter, page_size=10)
    kinds: dict[str, Call] = {
        "served": lambda: asked.SearchRuns(search, metadata=shown),
        "no token": lambda: asked.SearchRuns(search),
        "a wrong token": lambda: asked.SearchRuns(search, metadata=_metadata(shown[0][1][len("Bearer ") : -2] + "xx")),
        "no role": lambda: asked.SearchRuns(elsewhere, metadata=shown),
    }
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        idle = _cpu(pid, lambda: time.sleep(IDLE_SECONDS / LOAD))[0] / IDLE_SECONDS
        for name, call in kinds.items():
            used, seconds = _cpu(pid, call)
            spent[name].append((used - idle * seconds) / LOAD * 1e3)
    served = quantile(spent.pop("served"), 0.5)
    for name, millis in spent.items():
        own = quantile(millis, 0.5)
        detail = f"{own:.2f} ms of CPU, a search of {RUNS:,} runs {served:.2f}"
        yield Figure(f"a call denied for {name}, by a served one", own / served * 100, "%", 20, True, detail)


def _foreign(asked: query_pb2_grpc.QueryServiceStub, shown: Metadata, run: str) -> Figure:
    """How much longer a run of another namespace takes to be not found than one that is nowhere."""
    foreign = query_pb2.GetRunRequest(namespace="elsewhere", run_id=run)

    def missing() -> query_pb2.GetRunRequest:
        return query_pb2.GetRunRequest(namespace="elsewhere", run_id=uuid.uuid4().hex)

    there, nowhere = _in_turn(
        [
            lambda: asked.GetRun(foreign, metadata=shown),
            lambda: asked.GetRun(missing(), metadata=shown),
        ],
        FOREIGN_CALLS,
    )
    first, second = quantile(there, 0.5), quantile(nowhere, 0.5)
    detail = f"p50 {first * 1e3:.2f} ms, of one that is nowhere {second * 1e3:.2f}"
    return Figure("a foreign run is not found, by one that is nowhere", first / second, "×", 1.1, True, detail)


def _filled(server: Embedded, token: str) -> str:
    """Runs in the namespace; the id of one."""
    os.environ["FLEETLOG_TOKEN"] = token
    client = fleetlog.Client(server.target, NAMESPACE)
    for number in range(RUNS):
        with fleetlog.start_run(
            "callers", params={"lr": number / RUNS}, target=server.target, namespace=NAMESPACE
        ) as run:
            run.log({"loss": number / RUNS})
    run.flush(600, level="applied")
    client.close()
    return run.id


def _reader(server: Embedded, token: str) -> str:
    os.environ["FLEETLOG_TOKEN"] = token
    with fleetlog.Client(server.target, NAMESPACE) as client:
        return client.create_token("reader", [f"reader@{NAMESPACE}"]).secret


def _metadata(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def _get(run: str) -> query_pb2.GetRunRequest:
    return query_pb2.GetRunRequest(namespace=NAMESPACE, run_id=run)


def _in_turn(calls: Sequence[Call], count: int) -> list[list[float]]:
    """Seconds of each call, in turn; what is refused counts as well."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(count):
        for call, seconds in zip(calls, found, strict=True):
            begun = time.perf_counter()
            with suppress(grpc.RpcError):
                call()
            seconds.append(time.perf_counter() - begun)
    return found


def _cpu(pid: int, call: Call) -> tuple[float, float]:
    """CPU seconds of a process while the call is made again and again, and seconds in all."""
    process, begun = psutil.Process(pid), time.perf_counter()
    before = process.cpu_times()
    for _ in range(LOAD):
        with suppress(grpc.RpcError):
            call()
    after = process.cpu_times()
    return float(after.user - before.user + after.system - before.system), time.perf_counter() - begun
