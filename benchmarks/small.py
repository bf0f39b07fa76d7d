"""Searches and reads of small fleets: 1,000, 10,000 and 100,000 runs of 45 values, and runs read by their ids.

    python -m benchmarks small                        all sizes; five minutes
    FLEETLOG_BENCH_SIZES=1000 python -m benchmarks small

Every number is with the client: text in, objects out. Each question is another one than the one before.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping

import fleetlog
from fleetlog._transport.connection import connection_to
from fleetlog_proto.v1 import query_pb2

from benchmarks.figure import Figure, quantile
from benchmarks.searches import EXPERIMENT, load
from benchmarks.server import running
from benchmarks.updates import BATCHES_A_SECOND, updates

SIZES = tuple(int(size) for size in os.environ.get("FLEETLOG_BENCH_SIZES", "1000,10000,100000").split(","))
MARKS: Mapping[int, float] = {1_000: 5, 10_000: 7, 100_000: 12}
"""Milliseconds of a search at the median, by the size of the fleet."""
TIMES = 60
MANY_METRICS = 1_000


def measure() -> Iterator[Figure]:
    """A server for each size."""
    for size in SIZES:
        with running() as server:
            client = fleetlog.Client(server.target)
            list(load(client, size))
            mark, told = MARKS.get(size), f"{size:,} runs"
            for name, search in searches(client, server.target):
                yield timed(name, search, told, mark)
            ids = [run.id for run in client.search_runs(experiments=[EXPERIMENT], limit=200, read_mask=["attributes"])]
            yield timed("get_run of a run of 45 values", reads(client, ids[:5]), told, 4)
            yield timed("get_run of one that nobody read before", reads(client, ids[100:]), told, None)
            if size == SIZES[0]:
                wide = wide_runs(client, server.target)
                yield timed(f"get_run of a run of {MANY_METRICS:,} metrics", reads(client, wide), told, 15)
            with updates(server.target, EXPERIMENT, ids[:50]):
                for name, search in searches(client, server.target):
                    yield timed(f"{name}, {BATCHES_A_SECOND} batches/s landing", search, told, mark)


def searches(client: fleetlog.Client, target: str) -> list[tuple[str, Callable[[], object]]]:
    """(name, call)."""
    rng = random.Random(5)

    def found(text: str, limit: int, order: str = "") -> object:
        order_by = [order] if order else []
        return client.search_runs(text, experiments=[EXPERIMENT], order_by=order_by, limit=limit)

    def two() -> str:
        return f"metrics.metric_3 > {rng.uniform(0.5, 0.9):.4f} AND params.model = 'gpt2'"

    connection = connection_to(target)
    request = query_pb2.SearchRunsRequest(experiment_names=[EXPERIMENT], filter="metrics.metric_3 > 0.1", page_size=10)

    def next_page() -> object:
        response = connection.call(connection.query.SearchRuns, request)
        request.page_token = response.next_page_token
        return response.runs

    return [
        ("two conditions, top 10", lambda: found(two(), 10)),
        ("two conditions and a tag, 100", lambda: found(f"{two()} AND tags.tag_1 != 'value {rng.randrange(20)}'", 100)),
        ("order by a metric, 100", lambda: found("", 100, f"metrics.metric_{rng.randrange(20)} ASC")),
        ("LIKE, 100", lambda: found(f"tags.tag_{rng.randrange(5)} LIKE '%ue 1{rng.randrange(10)}%'", 100)),
        ("next page of 10", next_page),
    ]


def reads(client: fleetlog.Client, ids: list[str]) -> Callable[[], object]:
    """A read of one of the runs, in turn."""
    place = iter(range(1 << 30))
    return lambda: client.get_run(ids[next(place) % len(ids)])


def wide_runs(client: fleetlog.Client, target: str, runs: int = 5) -> list[str]:
    """The ids of runs with many metrics, all of it readable."""
    ids = []
    for _ in range(runs):
        run = fleetlog.start_run("wide", target=target)
        run.log({f"metric_{place}": float(place) for place in range(MANY_METRICS)}, step=1)
        run.finish(wait=False)
        ids.append(run.id)
    client.flush(timeout=600, level="applied")
    return ids


def timed(name: str, search: Callable[[], object], detail: str, mark: float | None) -> Figure:
    """The p50 of a question, in ms, with the client and its documents."""
    for _ in range(5):
        search()
    millis = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        if not search():
            raise AssertionError(f"{name}: nothing found")
        millis.append((time.perf_counter() - begun) * 1e3)
    told = f"{detail}; p95 {quantile(millis, 0.95):.1f} ms"
    return Figure(f"{name}, p50", quantile(millis, 0.5), "ms", mark, True, told)
