"""Filters and orders over columns against the evaluator, on random runs; no engine is asked."""

from __future__ import annotations

import random
from typing import cast

import numpy as np
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.column_cache.columns import MISSING
from fleetlog_query.column_cache.conditions import ColumnConditions, NotByColumns, sources_of_plan
from fleetlog_query.column_cache.labels import Labels
from fleetlog_query.column_cache.ranking import ColumnOrder, sources_of_order
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.scope_columns import Real, Runs, ScopeColumns
from fleetlog_query.language.plan import plan_of
from fleetlog_query.language.values import Key, Series
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.order_by import parse_order
from hypothesis import HealthCheck, event, example, given, note, reject, settings
from hypothesis import strategies as st

from tests.profiles import examples
from tests.query.random_filters import FILTER, ORDER
from tests.query.random_runs import EXACT, KEYS, NAMES, NUMBERS, START, STEPS, TEXTS, typed
from tests.query.reference.evaluate import Point, Row, matches, number_of, text_of
from tests.query.reference.ranking import ranked

NOW = float(START + 7_200_000)
RUNS = 40


def random_rows() -> dict[str, Row]:
    rng = random.Random(3)
    rows: dict[str, Row] = {}
    for place in range(RUNS):
        run_id, start = bytes([1, 139, place // 2, place % 2, *rng.randbytes(12)]).hex(), START + place // 3
        kinds: list[object] = [rng.choice(TEXTS), rng.choice(NUMBERS), rng.randrange(5), rng.random() < 0.5]
        points = {
            key: [Point(rng.choice(STEPS), START + rng.randrange(3), rng.choice(EXACT)) for _ in range(3)]
            for key in KEYS
            if rng.random() < 0.7
        }
        rows[run_id] = Row(
            {
                "run_id": run_id, "name": rng.choice(NAMES), "user": rng.choice(["ada", "Bob"]),
                "state": float(rng.choice([1, 2, 3, 4])), "start_time": float(start), "experiment_id": 1.0,
                "end_time": rng.choice([None, float(start + rng.randrange(3) * 3_600_000)]),
                "parent_run_id": rng.choice([None, *rows]),
            },
            {key: typed(rng.choice(kinds)) for key in KEYS if rng.random() < 0.7},
            {key: rng.choice(TEXTS) for key in KEYS if rng.random() < 0.6},
            {key: series[-1].value for key, series in points.items()},
            points,
        )  # fmt: skip
    return rows


class RowColumns:
    """Stands for the columns of a scope: those of rows."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self._rows = [rows[run_id] for run_id in sorted(rows)]
        starts = np.array([number_of(Key("attributes", "start_time"), row) for row in self._rows], np.int64)
        ids = Ids(np.frombuffer(bytes.fromhex("".join(sorted(rows))), "V16"))
        self.held = Runs(0, ids, {"start_time": starts, "deleted": np.zeros(len(ids), bool)})

    def runs(self, select: Select) -> Runs:
        return self.held

    def numbers(self, source: Key | Series, select: Select) -> Real:
        found = [number_of(source, row) for row in self._rows]
        return np.array([MISSING if one is None else np.nan if np.isnan(one) else one for one in found])

    def texts(self, key: Key, select: Select) -> Labels:
        found = [text_of(key, row) for row in self._rows]
        texts = ["no run's any more", *sorted({text for text in found if text is not None}, reverse=True)]
        codes = [-1 if text is None else texts.index(text) for text in found]
        return Labels(np.array(codes, np.int32), texts)


ROWS = random_rows()
COLUMNS = RowColumns(ROWS)
IDS = sorted(ROWS)
SELECT = cast(Select, None)


def found_by_columns(text: str) -> set[str]:
    plan = plan_of(text, NOW)
    if plan is None:
        return set(IDS)
    sources_of_plan(plan)
    holds = ColumnConditions(cast(ScopeColumns, COLUMNS), SELECT).holds(plan)
    return {run_id for run_id, one in zip(IDS, holds.tolist(), strict=True) if one}


@settings(max_examples=examples(400), suppress_health_check=list(HealthCheck))
@given(text=FILTER)
@example("NOT (metrics.`x` >= -inf)")
@example("metrics.`x` NOT IN (1, nan)")
@example("metrics.x / 0 != 1")
@example("NOT (params.`x` BETWEEN -inf AND inf)")
@example("params.x LIKE '%'")
@example("NOT (tags.x LIKE 'a%')")
@example("end_time IS NULL AND parent_run_id IS NOT NULL")
def test_filters_find_the_same_runs(text: str) -> None:
    try:
        found = found_by_columns(text)
    except NotByColumns:
        event("by a statement")
        return
    except InvalidArgument:
        reject()
    plan = plan_of(text, NOW)
    assert found == {run_id for run_id, row in ROWS.items() if matches(plan, row)}


@settings(max_examples=examples(200), suppress_health_check=list(HealthCheck))
@given(order=ORDER | st.just([]), text=st.just("") | FILTER, size=st.integers(1, 12))
@example(["params.x DESC", "metrics.y"], "", 7)
@example(["run_id DESC"], "", 7)
@example(["params.`a b`", "tags.x DESC"], "", 3)
def test_the_first_runs_come_in_the_same_order(order: list[str], text: str, size: int) -> None:
    keys = parse_order(order, NOW)
    try:
        sources_of_order(keys)
        places = np.array([place for place, run_id in enumerate(IDS) if run_id in found_by_columns(text)], np.intp)
        columns = ColumnOrder(keys, cast(ScopeColumns, COLUMNS), SELECT)
    except NotByColumns:
        event("by a statement")
        return
    except InvalidArgument:
        reject()
    note(f"{text} ORDER BY {order}")
    expected = ranked({IDS[place]: ROWS[IDS[place]] for place in places.tolist()}, keys)
    assert [IDS[place] for place in columns.first(places, size).tolist()] == expected[:size]
    assert [IDS[place] for place in columns.first(places, len(places)).tolist()] == expected
