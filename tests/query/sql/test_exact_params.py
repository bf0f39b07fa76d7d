"""Whole params beyond 2^53, and truths: the statement and the evaluator agree, exactly."""

from __future__ import annotations

import random
from pathlib import Path

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_query.language.plan import plan_of
from fleetlog_query.search.search import Search
from fleetlog_query.sql.order_by import parse_order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.warehouse.engines import chdb, clickhouse
from tests.profiles import examples
from tests.query.many_runs import EXPERIMENT, NAMESPACE, START_MILLIS, ids_of, insert_keys, insert_runs
from tests.query.random_filters import NUMBER, WHOLE, conditions, patterns
from tests.query.random_runs import NUMBERS, WHOLES, typed
from tests.query.reference.evaluate import Row, matches
from tests.query.reference.ranking import ranked
from tests.query.searching import searching

SECONDS = 60.0
RUNS = 80
EDGE = 1 << 53
PARAM = st.just("params.x")
FILTER = st.one_of(
    *conditions(PARAM, WHOLE),
    *conditions(PARAM, WHOLE | NUMBER),
    *conditions(PARAM, st.sampled_from(["'True'", "'true'", "'False'", "'x'"])),
    *patterns(PARAM),
)


def test_two_neighbours_are_told_apart() -> None:
    rows = {str(value): Row({}, {"seed": typed(value)}) for value in (EDGE, EDGE + 1, EDGE + 2)}

    def found(text: str) -> list[int]:
        plan = plan_of(text)
        return [int(value) - EDGE for value, row in rows.items() if matches(plan, row)]

    assert found(f"params.seed = {EDGE + 1}") == [1]
    assert found(f"params.seed != {EDGE + 1}") == [0, 2]
    assert found(f"params.seed > {EDGE}") == [1, 2]
    assert found(f"params.seed BETWEEN {EDGE + 1} AND 1e300") == [1, 2]
    assert found(f"params.seed NOT IN ({EDGE}, {EDGE + 2}, 3)") == [1]


def test_a_truth_is_found_as_mlflow_writes_it() -> None:
    truth, text = Row({}, {"amp": typed(True)}), Row({}, {"amp": typed("true")})
    for spelled, expected in (("True", [True, False]), ("true", [True, True]), ("TRUE", [False, False])):
        assert [matches(plan_of(f"params.amp = '{spelled}'"), row) for row in (truth, text)] == expected
        assert [matches(plan_of(f"params.amp != '{spelled}'"), row) for row in (truth, text)] == [
            not one for one in expected
        ]


def agree(warehouse: Warehouse) -> None:
    chance, run_ids = random.Random(1), ids_of(RUNS)
    insert_runs(warehouse, run_ids)
    values = [
        chance.choice(
            [chance.choice(WHOLES), chance.choice([*NUMBERS, 2.0**53, 2.0**63]), chance.random() < 0.5, "True"]
        )
        for _ in run_ids
    ]
    params = dict(zip(run_ids, map(typed, values), strict=True))
    for type_ in (2, 3, 4, 5):
        some = [run_id for run_id in run_ids if params[run_id][2] == type_]
        texts, numbers = [params[one][1] for one in some], [params[one][0] for one in some]
        insert_keys(warehouse, some, 1, "x", texts, f"params {type_}", numbers, type_)
    rows = {
        run_id.hex(): Row({"start_time": float(START_MILLIS + place)}, {"x": params[run_id]})
        for place, run_id in enumerate(run_ids)
    }
    searcher = searching(warehouse).searcher

    @settings(max_examples=examples(60), database=None, suppress_health_check=list(HealthCheck))
    @given(text=FILTER, order=st.sampled_from(["", "params.x", "params.x DESC"]), negated=st.booleans())
    def compare(text: str, order: str, negated: bool) -> None:
        text, keys = f"NOT ({text})" if negated else text, (order,) if order else ()
        found = searcher.search(Search(NAMESPACE, (EXPERIMENT,), text, keys, RUNS))
        plan = plan_of(text)
        expected = [run_id for run_id in ranked(rows, parse_order(keys)) if matches(plan, rows[run_id])]
        assert [run.run_id for run in found.runs] == expected

    compare()
    for order in ("params.x", "params.x DESC"):
        pages: list[str] = []
        token = ""
        while not pages or token:
            search = Search(NAMESPACE, (EXPERIMENT,), "", (order,), 7)
            page = searcher.search(searcher.going_on(search, token))
            pages += [run.run_id for run in page.runs]
            token = page.next_page_token
        assert pages == ranked(rows, parse_order([order]))


def test_statements_and_the_evaluator_agree(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        agree(warehouse)


def test_on_a_server_too(clickhouse_server: str) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        agree(warehouse)
