"""The compiler against the evaluator: random filters and orders over random runs that a real server took.

Most examples ask the searcher in this process; some go through the client and gRPC, which answer the same.
"""

from __future__ import annotations

import time

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import query_pb2
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.language.plan import plan_of
from fleetlog_query.sql.order_by import parse_order
from hypothesis import HealthCheck, example, given, note, reject, settings
from hypothesis import strategies as st

from tests.profiles import examples
from tests.query.in_process import Searching
from tests.query.random_filters import FILTER, ORDER
from tests.query.random_runs import FLEET, Fleet
from tests.query.reference.evaluate import matches
from tests.query.reference.ranking import ranked


@pytest.fixture(scope="module")
def ways(embedded_warehouse: Warehouse, fleet: Fleet) -> dict[bool, Searching]:
    """By columns that are held where they can tell, and by statements alone."""
    return {held: Searching(embedded_warehouse, FLEET, held_bytes=HELD_BYTES * held) for held in (True, False)}


def expected(text: str, fleet: Fleet) -> set[str]:
    """By the evaluator. Rejects the example when the filter is too large."""
    # The runs are years old: a second more or less of now() changes nothing.
    try:
        plan = plan_of(text, time.time() * 1000)
    except InvalidArgument as error:
        if error.reason != "FILTER_TOO_LARGE":
            raise
        reject()
    return {run_id for run_id, row in fleet.items() if matches(plan, row)}


@settings(max_examples=examples(400), suppress_health_check=list(HealthCheck))
@given(text=FILTER, held=st.booleans())
# NaN is in no range of a skipping index: what holds of NaN is not to be looked up there.
@example(text="NOT (metrics.`x` >= -inf)", held=False)
@example(text="NOT (metrics.`x` <= inf)", held=False)
@example(text="metrics.`x` NOT IN (1, 3)", held=False)
@example(text="metrics.`x` != 1", held=False)
@example(text="min(metrics.`x`) != 1", held=False)
@example(text="NOT (metrics.`x` * 2 < inf)", held=False)
@example(text="NOT (params.`x` BETWEEN -inf AND inf)", held=False)
@example(text="NOT (metrics.`x` >= -inf)", held=True)
@example(text="NOT (params.`x` BETWEEN -inf AND inf)", held=True)
def test_filters_find_the_same_runs(ways: dict[bool, Searching], fleet: Fleet, text: str, held: bool) -> None:
    note(text)
    wanted = expected(text, fleet)
    found = ways[held].found(text)
    assert len(set(found)) == len(found)
    assert set(found) == wanted


@settings(max_examples=examples(20), suppress_health_check=list(HealthCheck))
@given(text=FILTER)
def test_a_client_finds_the_same_runs(embedded_target: str, fleet: Fleet, text: str) -> None:
    note(text)
    wanted = expected(text, fleet)
    client = fleetlog.Client(embedded_target)
    found = client.search_runs(text, experiments=[FLEET], read_mask=["attributes"], limit=None)
    assert {run.id for run in found} == wanted


@settings(max_examples=examples(120), suppress_health_check=list(HealthCheck))
@given(order=ORDER, text=st.just("") | FILTER, size=st.integers(8, 70), held=st.booleans())
def test_orders_are_the_same(
    ways: dict[bool, Searching], fleet: Fleet, order: list[str], text: str, size: int, held: bool
) -> None:
    note(f"{text} ORDER BY {order}")
    now_millis = time.time() * 1000
    try:
        plan, keys = plan_of(text, now_millis), parse_order(order, now_millis)
    except InvalidArgument as error:
        if error.reason != "FILTER_TOO_LARGE":
            raise
        reject()
    rows = {run_id: row for run_id, row in fleet.items() if matches(plan, row)}
    assert ways[held].found(text, order, size) == ranked(rows, keys)


def pages(target: str, request: query_pb2.SearchRunsRequest) -> list[str]:
    connection = connection_to(target)
    request.experiment_names.append(FLEET)
    request.read_mask.append("attributes")
    found: list[str] = []
    while True:
        response = connection.call(connection.query.SearchRuns, request)
        found += [run.run_id for run in response.runs]
        request.page_token = response.next_page_token
        if not request.page_token:
            return found


@pytest.mark.parametrize(
    "order",
    [
        "metrics.x DESC", "params.x ASC", "tags.y", "start_time DESC", "params.`a b` DESC", "min(metrics.x)",
        "metrics.x - metrics.y DESC", "last(metrics.x WHERE rank = 1) * params.x", "end_time - start_time",
    ],
)  # fmt: skip
def test_pages_together_are_the_whole(ways: dict[bool, Searching], fleet: Fleet, order: str) -> None:
    whole = ways[False].found("", [order])
    assert ways[False].found("", [order], 7) == ways[True].found("", [order], 7) == whole
    assert set(whole) == set(fleet)


def test_pages_and_a_stream_of_a_client_are_the_same(embedded_target: str, fleet: Fleet) -> None:
    client = fleetlog.Client(embedded_target)
    whole = [run.id for run in client.search_runs(experiments=[FLEET], order_by=["metrics.x DESC"], limit=None)]
    assert pages(embedded_target, query_pb2.SearchRunsRequest(order_by=["metrics.x DESC"], page_size=7)) == whole
    assert set(whole) == set(fleet)


def test_a_forged_token_is_refused(embedded_target: str, fleet: Fleet) -> None:
    connection = connection_to(embedded_target)
    request = query_pb2.SearchRunsRequest(experiment_names=[FLEET], page_size=5)
    token = connection.call(connection.query.SearchRuns, request).next_page_token
    for forged in (token[:-4] + "AAAA", "x", "é", token.swapcase()):
        request.page_token = forged
        with pytest.raises(fleetlog.InvalidArgument) as caught:
            connection.call(connection.query.SearchRuns, request)
        assert caught.value.reason == "PAGE_TOKEN_INVALID"
    request.page_token, request.filter = token, "metrics.x > 1"
    with pytest.raises(fleetlog.InvalidArgument):
        connection.call(connection.query.SearchRuns, request)
