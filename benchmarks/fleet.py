"""A fleet of 1,000,000 runs of 20 params, 20 metrics and 5 tags: searches, facets, selection, streams and watches.

    python -m benchmarks fleet                                        all; takes ten minutes
    FLEETLOG_BENCH_RUNS=100000 python -m benchmarks fleet             a smaller fleet, and its own marks don't hold
    FLEETLOG_BENCH_DATA=DIR python -m benchmarks fleet                on a data directory, kept; loaded if empty

Every number is with the client: text in, objects out. What a search reads is told by ClickHouse's own counters, which
the server shows on its metrics port.
"""

from __future__ import annotations

import os
import random
import re
import resource
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import fleetlog
from fleetlog._transport.connection import connection_to
from fleetlog._views.searches import RunSearch
from fleetlog_proto.v1 import query_pb2

from benchmarks.figure import Figure, quantile
from benchmarks.searches import EXPERIMENT, load, ordered, two_conditions
from benchmarks.server import Server, running
from benchmarks.updates import BATCHES_A_SECOND, updates

RUNS = int(os.environ.get("FLEETLOG_BENCH_RUNS", "1000000"))
DATA = os.environ.get("FLEETLOG_BENCH_DATA")
TIMES = 60
SELECTED = 100_000
CURVES, CURVE_POINTS, BUCKETS = 100, 100_000, 1_000


def measure(runs: int = RUNS) -> Iterator[Figure]:
    """Load, search in quiet, search while updates land, then what is read in bulk."""
    with running(data=Path(DATA) if DATA else None) as server:
        client = fleetlog.Client(server.target)
        if EXPERIMENT not in {one.name for one in client.experiments()}:
            yield from load(client, runs)
        fleet = Fleet(server, client, runs)
        for name, search, mark in fleet.searches():
            yield fleet.timed(name, search, mark)
        yield from fleet.under_load()


class Fleet:
    """The loaded fleet, and what is asked of it."""

    def __init__(self, server: Server, client: fleetlog.Client, runs: int) -> None:
        self._server = server
        self._client = client
        self._runs = runs
        self._rng = random.Random(5)
        # Runs that are updated: some of the latest, and some from all over.
        self._some = [
            run.id
            for order in ("attributes.start_time DESC", "metrics.metric_1 DESC")
            for run in client.search_runs(
                experiments=[EXPERIMENT], order_by=[order], limit=500, read_mask=["attributes"]
            )
        ]

    def searches(self) -> list[tuple[str, Callable[[], object], float]]:
        """(name, call, mark of its p95 in ms, for 1,000,000 runs). Two fleets that are asked in turn get the same."""
        client, rng = self._client, self._rng
        first = f"params.param_0 < {SELECTED / self._runs:.4f}" if self._runs > SELECTED else ""

        def three() -> object:
            number = rng.uniform(0.9, 0.99)
            text = f"(metrics.metric_1 > {number:.4f} OR params.model = 'mamba') AND min(metrics.metric_2) < 0.01"
            return client.search_runs(text, experiments=[EXPERIMENT], limit=10)

        def pages() -> Callable[[], object]:
            connection = connection_to(self._server.target)
            request = query_pb2.SearchRunsRequest(
                experiment_names=[EXPERIMENT], filter="metrics.metric_3 > 0.5", page_size=10
            )

            def page() -> object:
                response = connection.call(connection.query.SearchRuns, request)
                request.page_token = response.next_page_token
                return response.runs

            return page

        def select() -> object:
            chosen = client.select(
                first, experiments=[EXPERIMENT], minimize="metrics.metric_5", group_by=["params.model", "params.batch"],
                min_count=2, limit=5,
            )  # fmt: skip
            return list(chosen)

        return [
            ("two conditions, top 10", lambda: two_conditions(client, rng=rng), 60),
            ("order by a metric, no filter, top 10", lambda: ordered(client, rng), 60),
            ("three conditions with OR and a series function", three, 150),
            ("next page of 10", pages(), 60),
            ("facets: all keys", lambda: client.keys(experiments=[EXPERIMENT]), 150),
            ("facets: values of a param", lambda: client.values("params.model", experiments=[EXPERIMENT]), 150),
            (f"select by two objectives' groups over {min(SELECTED, self._runs):,} runs", select, 300),
        ]

    def under_load(self) -> Iterator[Figure]:
        """The searches while updates land, many clients at once, and what is read in bulk."""
        with self.updates():
            for name, search, mark in self.searches():
                yield self.timed(f"{name}, {BATCHES_A_SECOND} batches/s landing", search, 2 * mark)
        curves = self.logged_curves()
        yield self.curves(curves, f", right after their {CURVES * CURVE_POINTS:,} points were logged")
        yield self.at_once()
        yield from self.streamed()
        yield self.watched()
        yield self.curves(curves)

    def timed(self, name: str, search: Callable[[], object], mark: float) -> Figure:
        """The p95 in ms, and what one search reads."""
        for _ in range(3):
            search()
        before = self.read()
        millis = [waited(name, search) for _ in range(TIMES)]
        detail = f"p50 {quantile(millis, 0.5):.1f} ms; {self.reads(before, TIMES)}"
        return Figure(f"{name}, p95", quantile(millis, 0.95), "ms", mark, True, detail)

    def read(self) -> tuple[float, float]:
        """Rows and bytes that the warehouse has read for selects, by its own count."""
        with urllib.request.urlopen(f"http://{self._server.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = dict(re.findall(r"^fleetlog_statement_(rows|bytes)_read_total (\S+)$", text, re.MULTILINE))
        return float(found["rows"]), float(found["bytes"])

    def reads(self, before: tuple[float, float], times: int) -> str:
        """What each of so many questions read since then, in words."""
        (rows, size), (rows_before, size_before) = self.read(), before
        return f"{(rows - rows_before) / times:,.0f} rows, {(size - size_before) / times / 1e6:,.1f} MB read"

    def updates(self) -> AbstractContextManager[None]:
        """Other processes write new values for runs of the fleet, while it lasts."""
        return updates(self._server.target, EXPERIMENT, self._rng.sample(self._some, 50))

    def at_once(self, clients: int = 16) -> Figure:
        """Searches a second when so many clients search side by side, and how long each waits."""
        millis: list[float] = []

        def one() -> None:
            for _ in range(TIMES // 4):
                begun = time.perf_counter()
                two_conditions(self._client)
                millis.append((time.perf_counter() - begun) * 1e3)

        before, begun = self.read(), time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(one) for _ in range(clients)]:
                done.result()
        rate = len(millis) / (time.perf_counter() - begun)
        detail = f"p50 {quantile(millis, 0.5):.0f} ms, p95 {quantile(millis, 0.95):.0f} ms"
        detail += f"; {self.reads(before, len(millis))}"
        return Figure(f"{clients} clients at once, two conditions", rate, "searches/s", detail=detail)

    def streamed(self) -> Iterator[Figure]:
        """The whole fleet to the client as Arrow, and how much memory that takes on both sides."""
        for mask, name in (
            (["attributes"], "attributes"),
            (["attributes", "metrics.metric_1"], "and a metric"),
            ([], "whole"),
        ):
            mine, its = _peak_here(), _resident(self._server.pid)
            before, begun, rows = self.read(), time.perf_counter(), 0
            request = query_pb2.SearchRunsRequest(experiment_names=[EXPERIMENT], read_mask=mask)
            for batch in RunSearch(self._server.target, request, self._client, 60.0).batches():
                rows += batch.num_rows
            seconds = time.perf_counter() - begun
            here, there = _peak_here() - mine, _resident(self._server.pid) - its
            grown = f"{here / 1e6:.0f} MB more here, {there / 1e6:.0f} MB there"
            detail = f"{rows:,} runs; {grown}; {self.reads(before, 1)}"
            yield Figure(f"runs streamed, {name}", rows / seconds, "runs/s", 50_000, False, detail)

    def watched(self) -> Figure:
        """From durable to told, for a watch of a search over the whole fleet."""
        client = self._client
        changes = client.watch_runs(experiments=[EXPERIMENT], limit=20)
        next(changes)
        millis: list[float] = []
        before = self.read()
        for place in range(20):
            run = fleetlog.start_run(EXPERIMENT, name=f"watched {place}", target=self._server.target)
            run.flush()
            begun = time.perf_counter()
            while not any(one.id == run.id for one in next(changes).entered):
                pass
            millis.append((time.perf_counter() - begun) * 1e3)
            run.finish()
        return Figure(
            "a watch tells of a new run, p95",
            quantile(millis, 0.95),
            "ms",
            300,
            True,
            f"p50 {quantile(millis, 0.5):.0f} ms; {self.reads(before, len(millis))}",
        )

    def logged_curves(self) -> list[str]:
        """The ids of runs with a long series, all of it readable."""
        ids = []
        for place in range(CURVES):
            run = fleetlog.start_run("curves", name=f"curve {place}", target=self._server.target)
            steps = range(CURVE_POINTS)
            run.log_series("loss", steps=list(steps), values=[1 / (1 + step) for step in steps])
            run.finish(wait=False)
            ids.append(run.id)
        self._client.flush(timeout=600, level="applied")
        return ids

    def curves(self, ids: list[str], when: str = "") -> Figure:
        """Buckets of many long series in one read."""
        millis: list[float] = []
        before = self.read()
        for _ in range(TIMES):
            begun = time.perf_counter()
            found = self._client.read_curves(ids, ["loss"], BUCKETS)
            millis.append((time.perf_counter() - begun) * 1e3)
            if len(found) != CURVES:
                raise AssertionError(f"{len(found)} curves of {CURVES}")
        detail = f"{CURVES} series of {CURVE_POINTS:,} points; p50 {quantile(millis, 0.5):.0f} ms"
        detail += f"; {self.reads(before, TIMES)}"
        return Figure(f"{CURVES} runs × {BUCKETS:,} buckets{when}, p95", quantile(millis, 0.95), "ms", 60, True, detail)


def waited(name: str, search: Callable[[], object]) -> float:
    """The ms of one search, which has to find something."""
    begun = time.perf_counter()
    if not search():
        raise AssertionError(f"{name}: nothing found")
    return (time.perf_counter() - begun) * 1e3


def _peak_here() -> float:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _resident(pid: int) -> float:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024
