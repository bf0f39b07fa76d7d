"""The compiler against the evaluator: random filters and orders over random runs, through a real server."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import fleetlog
import pytest
from fleetlog_query.filter.evaluate import Row, matches
from fleetlog_query.filter.plan import plan_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXPERIMENT = "congruence"
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "it's",
    'q"uote',
    "back\\slash",
    "100%",
    "under_score",
    "é☃",
    "tab\there",
    "3",
    "1e-4",
    "nan",
]
NUMBERS = [0.0, -0.0, 1.0, -1.5, 1e-4, 3.0, 1e300, math.inf, -math.inf, math.nan]
KEYS = ["x", "y", "a b", "tick`ed", "é"]
Fleet = dict[str, Row]


@pytest.fixture(scope="module")
def fleet(embedded_target: str) -> Fleet:
    rng = random.Random(5)
    rows: Fleet = {}
    for place in range(60):
        params: dict[str, object] = {}
        for key in KEYS:
            params |= rng.choice([{}, {key: rng.choice(TEXTS)}, {key: rng.choice(NUMBERS)}, {key: rng.randrange(5)}])
        tags = {key: rng.choice(TEXTS) for key in KEYS if rng.random() < 0.6}
        metrics = {key: rng.choice(NUMBERS) for key in KEYS if rng.random() < 0.6}
        run = fleetlog.start_run(
            EXPERIMENT, f"run {place}", params=params, tags=tags, user="u", start_time=1_700_000_000_000 + place // 3,
            target=embedded_target,
        )  # fmt: skip
        run.log(metrics, step=1)
        run.finish(wait=False)
        rows[run.id] = Row({"name": f"run {place}"}, {k: typed(v) for k, v in params.items()}, tags, metrics)
    fleetlog.flush(embedded_target, level="applied")
    return rows


def typed(value: object) -> tuple[float, str, int]:
    if isinstance(value, float):
        return value, repr(value), 4
    if isinstance(value, int):
        return float(value), str(value), 3
    text = str(value)
    return {"3": (3.0, text, 2), "1e-4": (1e-4, text, 2)}.get(text, (math.nan, text, 2))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    return repr(value)


def field(group: str) -> st.SearchStrategy[str]:
    return st.sampled_from([*KEYS, "missing"]).map(lambda key: f"{group}.`{key.replace('`', '``')}`")


NUMBER = st.sampled_from(NUMBERS).map(number)
TEXT = st.sampled_from(TEXTS).map(quoted)
PATTERN = st.sampled_from(["%", "a%", "_", "%b", "100\\%", "under\\_%", "back\\\\%", "A_", "%☃", ""]).map(quoted)
COMPARISON = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
NOT = st.sampled_from(["", "NOT "])


def made(template: str) -> Callable[..., str]:
    return lambda *parts: template.format(*parts)


def leaves(group: str, value: st.SearchStrategy[str]) -> list[st.SearchStrategy[str]]:
    return [
        st.builds(made("{} {} {}"), field(group), COMPARISON, value),
        st.builds(made("{} {}IN ({}, {})"), field(group), NOT, value, value),
        st.builds(made("{} {}BETWEEN {} AND {}"), field(group), NOT, value, value),
        st.builds(made("{} IS {}NULL"), field(group), NOT),
    ]


LIKES = [st.builds(made("{} {}LIKE {}"), field(group), NOT, PATTERN) for group in ("params", "tags")]
LEAF = st.one_of(
    *leaves("metrics", NUMBER), *leaves("params", NUMBER), *leaves("params", TEXT), *leaves("tags", TEXT), *LIKES
)
FILTER = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(made("({} AND {})"), inner, inner),
        st.builds(made("({} OR {})"), inner, inner),
        st.builds(made("NOT ({})"), inner),
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILTER)
def test_filters_find_the_same_runs(embedded_target: str, fleet: Fleet, text: str) -> None:
    found = fleetlog.Client(embedded_target).search_runs(
        text, experiments=[EXPERIMENT], read_mask=["attributes"], limit=None
    )
    plan = plan_of(text)
    assert {run.id for run in found} == {run_id for run_id, row in fleet.items() if matches(plan, row)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=field("metrics"), way=st.sampled_from(["ASC", "DESC"]), size=st.integers(1, 70))
def test_metrics_order_numbers_then_nan_then_missing(
    embedded_target: str, fleet: Fleet, key: str, way: str, size: int
) -> None:
    client = fleetlog.Client(embedded_target)
    runs = client.search_runs(experiments=[EXPERIMENT], order_by=[f"{key} {way}"], limit=size)
    name = key.partition(".")[2].strip("`").replace("``", "`")

    def rank(run_id: str) -> tuple[int, float, float, str]:
        value = fleet[run_id].metrics.get(name)
        place = int(fleet[run_id].attributes["name"].split()[1])  # type: ignore[union-attr]
        tie = (-(place // 3), run_id)
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
