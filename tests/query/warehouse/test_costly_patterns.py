"""Patterns that take long for one text: they end at their deadline, few at a time, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from fleetlog_core import limits
from fleetlog_core.warehouse.port import TimedOut, Warehouse
from fleetlog_proto.v1 import facets_pb2, query_pb2, query_pb2_grpc, scope_pb2, selection_pb2, watch_pb2
from fleetlog_query.calls.base import COSTLY_CALLS
from fleetlog_query.search.search import Search
from fleetlog_query.warehouse.cancellable import CancellableWarehouse, Work

from tests.core.warehouse.engines import chdb, clickhouse
from tests.query.many_runs import EXPERIMENT, NAMESPACE, channel_to, ids_of, insert_keys, insert_runs, serving
from tests.query.searching import searching

RUNS = 1_600
SECONDS = 2.0
SOON = 30.0
"""Seconds within which things happen on a machine that has much else to do."""
NEVER = "tags.note MATCHES 'a(a|b){250}z'"
"""Never found, and tried again at each letter: 50 to 100 ms for one text, and minutes for all."""
HALF = "tags.note MATCHES 'a.{80}z'"
"""Found in half of the texts, and about as slow."""


def fill(warehouse: Warehouse) -> None:
    chance, run_ids = random.Random(3), ids_of(RUNS)
    insert_runs(warehouse, run_ids)
    texts = ["".join(chance.choices("ab", k=limits.TEXT_BYTES - 2)) + "cz" for _ in run_ids]
    insert_keys(warehouse, run_ids, 2, "note", texts, "notes")
    insert_keys(warehouse, run_ids, 2, "same", ["a" * (limits.TEXT_BYTES - place) for place in range(RUNS)], "same")
    insert_keys(warehouse, run_ids, 2, "team", [f"team-{place % 7}-x" for place in range(RUNS)], "teams")


@contextmanager
def engine(name: str, request: pytest.FixtureRequest, path: Path) -> Iterator[Warehouse]:
    if name == "chdb":
        with chdb(path) as warehouse:
            yield warehouse
    else:
        with clickhouse(request.getfixturevalue("clickhouse_server")) as warehouse:
            yield warehouse


@pytest.mark.parametrize("name", ["chdb", "clickhouse"])
def test_what_takes_a_minute_ends_at_its_deadline(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with engine(name, request, tmp_path) as warehouse:
        fill(warehouse)
        reading = CancellableWarehouse(warehouse)
        searcher = searching(reading).searcher
        for text, order in ((NEVER, ()), (HALF, ()), (NEVER, ("name",)), (f"NOT ({NEVER})", ("tags.team",))):
            begun = time.monotonic()
            with pytest.raises(TimedOut):
                reading.run(Work(SECONDS), partial(searcher.search, Search(NAMESPACE, (EXPERIMENT,), text, order)))
            assert time.monotonic() - begun < SECONDS + SOON
        found = searcher.search(Search(NAMESPACE, (EXPERIMENT,), "tags.team LIKE 't%-3_x' AND name ILIKE 'RUN%1'"))
        assert {run.name for run in found.runs} == {
            f"run-{place}" for place in range(RUNS) if place % 7 == 3 and place % 10 == 1
        }
        reading.close()


def test_few_run_at_a_time_and_others_are_served(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        fill(warehouse)
        asyncio.run(_attacked(warehouse, tmp_path))


async def _attacked(warehouse: Warehouse, path: Path) -> None:
    async with serving(warehouse, path) as (server, address):
        await asyncio.to_thread(_ask, address)
        begun = time.monotonic()
        with channel_to(address) as channel:
            query = query_pb2_grpc.QueryServiceStub(channel)
            left = [query.SearchRuns.future(costly_search(), timeout=600.0) for _ in range(COSTLY_CALLS)]
            await asyncio.to_thread(_served, query)
            await server.drain(1.0)
            for call in left:
                # Raises when the call goes on.
                assert await asyncio.to_thread(call.exception, SOON) is not None
    # All that still ran was ended, too, or the service could not have been closed.
    assert time.monotonic() - begun < 2 * SOON


def costly_search() -> query_pb2.SearchRunsRequest:
    return query_pb2.SearchRunsRequest(namespace=NAMESPACE, experiment_ids=[EXPERIMENT], filter=NEVER)


def _served(query: query_pb2_grpc.QueryServiceStub) -> None:
    """What is plain is answered while all costly reads run or wait; patterns over short texts too."""
    for text in ("tags.team = 'team-1-x'", "tags.team LIKE 'team%1%x'"):
        search = query_pb2.SearchRunsRequest(namespace=NAMESPACE, experiment_ids=[EXPERIMENT], filter=text)
        assert query.SearchRuns(search, timeout=SOON).runs


def _ask(address: str) -> None:
    scope = scope_pb2.RunScope(namespace=NAMESPACE, experiment_ids=[EXPERIMENT], filter=NEVER)
    with channel_to(address) as channel:
        query = query_pb2_grpc.QueryServiceStub(channel)
        begun = time.monotonic()
        calls: list[Any] = [query.SearchRuns.future(costly_search(), timeout=SOON) for _ in range(COSTLY_CALLS + 4)]
        _served(query)
        objective = selection_pb2.Objective(value="metrics.x", direction=selection_pb2.DIRECTION_MINIMIZE)
        calls += [
            query.SelectRuns.future(
                selection_pb2.SelectRunsRequest(scope=scope, objectives=[objective]), timeout=SECONDS
            ),
            query.ListKeys.future(facets_pb2.ListKeysRequest(scope=scope), timeout=SECONDS),
        ]  # fmt: skip
        errors: list[Any] = [call.exception() for call in calls]
        assert time.monotonic() - begun < 2 * SOON
        refused = [error for error in errors if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert 0 < len(refused) < len(errors)
        assert "TOO_MANY_COSTLY_READS" in str(refused[0].trailing_metadata())
        assert {error.code() for error in errors} <= {
            grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED
        }  # fmt: skip
        streamed = query.StreamRuns(query_pb2.StreamRunsRequest(search=costly_search()), timeout=SECONDS)
        with pytest.raises(grpc.RpcError) as caught:
            list(streamed)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        everything = scope_pb2.RunScope(namespace=NAMESPACE, experiment_ids=[EXPERIMENT])
        nearly = "a" * (limits.FACET_TEXT_CHARACTERS - 1) + "b"
        begun = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            query.ListValues(
                facets_pb2.ListValuesRequest(
                    scope=everything, kind=facets_pb2.KEY_KIND_TAG, key="same", contains=nearly
                ),
                timeout=SECONDS,
            )  # fmt: skip
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert query.ListValues(
            facets_pb2.ListValuesRequest(scope=everything, kind=facets_pb2.KEY_KIND_TAG, key="team", contains="TEAM"),
            timeout=SOON,
        ).values
        assert time.monotonic() - begun < 2 * SOON
        with pytest.raises(grpc.RpcError) as caught:
            list(query.WatchRuns(watch_pb2.WatchRunsRequest(scope=scope), timeout=60.0))
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "FILTER_COSTS_TOO_MUCH" in str(caught.value.trailing_metadata())
