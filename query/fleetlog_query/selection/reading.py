"""The candidates of a selection as columns: the runs, and what is asked of them, each a read of one narrow range.

Every read comes in the order of run ids, which is the order of its table, so they meet without a join.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import Computed, Key, Series, Value
from fleetlog_query.scope import Scope, attribute_text_sql, attrs_of, shown_sql
from fleetlog_query.selection.groups import Labels
from fleetlog_query.selection.meet import Ids
from fleetlog_query.selection.question import Question
from fleetlog_query.statement import conditions
from fleetlog_query.value_rows import value_rows

FEW_RUNS = 1_000
"""When the constraints leave no more, only their rows are read."""
Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Runs by id: their starts in Unix milliseconds, each objective's values (NaN = none; runs × objectives), the
    labels of each key of group_by; and which constraint put each run aside, from 1 on in their order, 0 = none."""

    ids: Ids
    starts: npt.NDArray[np.int64]
    stages: npt.NDArray[np.int64]
    values: Real
    labels: Sequence[Labels]


def read_candidates(question: Question, scope: Scope, select: Callable[[Statement], Answer]) -> Columns:
    """All runs of the scope; `select` asks the warehouse."""
    runs = select(runs_statement(question, scope))
    ids = Ids.of(runs)
    left = np.flatnonzero(runs.array("stage") == 0)
    if 0 < len(left) <= FEW_RUNS and len(left) < len(ids):
        scope = replace(scope, run_ids=tuple(ids.at(place) for place in left.tolist()))
    found = {source: np.full(len(ids), np.nan) for source in question.sources}
    labels = [Labels(np.full(len(ids), -1, np.intp), [])] * len(question.groups)
    if len(left):
        for source, column in found.items():
            answer = select(source_statement(source, question, scope))
            rows, places = ids.meet(Ids.of(answer))
            column[places] = answer.array("v")[rows]
        for number, (_, key) in enumerate(question.groups):
            answer = select(label_statement(key, scope))
            rows, places = ids.meet(Ids.of(answer))
            labels[number] = Labels.of(answer.coded("s"), rows, places, len(ids))
    values = np.empty((len(ids), len(question.objectives)))
    with np.errstate(all="ignore"):
        for place, objective in enumerate(question.objectives):
            values[:, place] = _calculated(objective.value, found)
    starts, stages = runs.array("start").astype(np.int64), runs.array("stage").astype(np.int64)
    return Columns(ids, starts, stages, values, labels)


def runs_statement(question: Question, scope: Scope) -> Statement:
    """run_id, start and stage."""
    binds = Binds()
    tests = _tests(question, scope, binds)
    stages = ", ".join(f"NOT ({test}), {place}" for place, test in enumerate(tests, 1))
    stage = f"multiIf({stages}, 0)" if stages else "0"
    sql = (
        f"SELECT run_id, toUnixTimestamp64Milli(start_time) AS start, {stage} AS stage"
        f" FROM {scope.runs(binds)} WHERE {scope.sql(binds)}{shown_sql(question.deleted_view)} ORDER BY run_id"
    )
    return Statement(sql, binds.values, wide=bool(tests))


def source_statement(source: Key | Series, question: Question, scope: Scope) -> Statement:
    """run_id and v; windows, which read points, only of the runs that the constraints leave."""
    binds, among = Binds(), ""
    if isinstance(source, Series) and source.window is not None:
        runs = f"{scope.sql(binds)}{shown_sql(question.deleted_view)}"
        among = " AND ".join([runs, *_tests(question, scope, binds)])
        among = f"run_id IN (SELECT run_id FROM {scope.runs(binds)} WHERE {among})"
    sql = f"SELECT run_id, v FROM ({value_rows(source, scope, binds, among)}) ORDER BY run_id"
    return Statement(sql, binds.values, wide=isinstance(source, Series))


def label_statement(key: Key, scope: Scope) -> Statement:
    """run_id and s, of the runs that have one."""
    binds = Binds()
    if key.kind == "attributes":
        text, present = attribute_text_sql(key.key)
        rows = f"FROM {scope.runs(binds)} WHERE {scope.sql(binds)} AND {present}"
    else:
        text, rows = "str", attrs_of(key.kind, key.key, scope, binds)
    return Statement(f"SELECT run_id, toLowCardinality({text}) AS s {rows} ORDER BY run_id", binds.values)


def _tests(question: Question, scope: Scope, binds: Binds) -> list[str]:
    tests = conditions([plan for _, plan in question.parts], scope, binds)
    if question.artifact:
        path = question.artifact
        tests.append(
            f"run_id IN (SELECT run_id FROM artifacts WHERE namespace = {binds.text(scope.namespace)}"
            f" AND (path = {binds.text(path)} OR startsWith(path, {binds.text(path + '/')})))"
        )
    return tests


def _calculated(value: Value, found: Mapping[Key | Series, Real]) -> Real | float:
    """As filter.values.combine, by column; NaN stands for what is missing, and makes everything NaN."""
    if isinstance(value, Computed):
        left, right = np.asarray(_calculated(value.left, found)), np.asarray(_calculated(value.right, found))
        signs = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide}
        result: Real = signs[value.sign](left, right)
        return result
    return value if isinstance(value, float) else found[value]
