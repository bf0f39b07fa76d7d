"""The compiler against the evaluator: random filters and orders over random runs, through a real server."""

from __future__ import annotations

import math
import time

import fleetlog
import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.filter.evaluate import Row, matches
from fleetlog_query.filter.plan import plan_of
from hypothesis import HealthCheck, given, note, reject, settings
from hypothesis import strategies as st

from tests.query.random_filters import FILTER, key
from tests.query.random_runs import log_fleet

EXPERIMENT = "congruence"
Fleet = dict[str, Row]


@pytest.fixture(scope="module")
def fleet(embedded_target: str) -> Fleet:
    return log_fleet(embedded_target, EXPERIMENT)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=FILTER)
def test_filters_find_the_same_runs(embedded_target: str, fleet: Fleet, text: str) -> None:
    note(text)
    # The runs are years old: a second more or less of now() changes nothing.
    try:
        plan = plan_of(text, time.time() * 1000)
    except InvalidArgument as error:
        if error.reason != "FILTER_TOO_LARGE":
            raise
        reject()
    found = fleetlog.Client(embedded_target).search_runs(
        text, experiments=[EXPERIMENT], read_mask=["attributes"], limit=None
    )
    assert {run.id for run in found} == {run_id for run_id, row in fleet.items() if matches(plan, row)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=key("metrics"), way=st.sampled_from(["ASC", "DESC"]), size=st.integers(1, 70))
def test_metrics_order_numbers_then_nan_then_missing(
    embedded_target: str, fleet: Fleet, field: str, way: str, size: int
) -> None:
    client = fleetlog.Client(embedded_target)
    runs = client.search_runs(experiments=[EXPERIMENT], order_by=[f"{field} {way}"], limit=size)
    name = field.partition(".")[2].strip("`").replace("``", "`")

    def rank(run_id: str) -> tuple[int, float, float, str]:
        value = fleet[run_id].metrics.get(name)
        start = fleet[run_id].attributes["start_time"]
        assert isinstance(start, float)
        tie = (-start, run_id)
        if value is None:
            return 2, 0.0, *tie
        if math.isnan(value):
            return 1, 0.0, *tie
        return 0, (-value if way == "DESC" else value), *tie

    assert [run.id for run in runs] == sorted(fleet, key=rank)[:size]


def test_pages_together_are_the_whole(embedded_target: str, fleet: Fleet) -> None:
    client = fleetlog.Client(embedded_target)
    from fleetlog.connection import connection_to
    from fleetlog_proto.v1 import query_pb2

    for order in ("metrics.x DESC", "params.x ASC", "tags.y", "start_time DESC", "params.`a b` DESC"):
        whole = [run.id for run in client.search_runs(experiments=[EXPERIMENT], order_by=[order], limit=None)]
        pages: list[str] = []
        request = query_pb2.SearchRunsRequest(experiment_names=[EXPERIMENT], order_by=[order], page_size=7)
        connection = connection_to(embedded_target)
        while True:
            response = connection.call(connection.query.SearchRuns, request)
            pages += [run.run_id for run in response.runs]
            request.page_token = response.next_page_token
            if not request.page_token:
                break
        assert pages == whole
        assert set(pages) == set(fleet)


def test_a_forged_token_is_refused(embedded_target: str, fleet: Fleet) -> None:
    from fleetlog.connection import connection_to
    from fleetlog_proto.v1 import query_pb2

    connection = connection_to(embedded_target)
    request = query_pb2.SearchRunsRequest(experiment_names=[EXPERIMENT], page_size=5)
    token = connection.call(connection.query.SearchRuns, request).next_page_token
    for forged in (token[:-4] + "AAAA", "x", "é", token.swapcase()):
        request.page_token = forged
        with pytest.raises(fleetlog.InvalidArgument) as caught:
            connection.call(connection.query.SearchRuns, request)
        assert caught.value.reason == "PAGE_TOKEN_INVALID"
    request.page_token, request.filter = token, "metrics.x > 1"
    with pytest.raises(fleetlog.InvalidArgument):
        connection.call(connection.query.SearchRuns, request)
