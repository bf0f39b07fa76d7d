"""The candidates of a selection as columns: the runs, and what is asked of them.

What is held of the fleet's columns is taken from there, plain constraints on them included. All else is a read of one
narrow range each, in the order of run ids, which is the order of its table, so they meet without a join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Statement

from fleetlog_query.column_cache.column_reads import read_columns
from fleetlog_query.column_cache.columns import Column, Source
from fleetlog_query.column_cache.conditions import ColumnConditions, Holds, NotByColumns, sources_of_plan
from fleetlog_query.column_cache.labels import Labels, Places
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.scope_columns import ScopeColumns, shown_places
from fleetlog_query.language.conditions import Plan
from fleetlog_query.language.values import Computed, Key, Series, Value
from fleetlog_query.selection.question import Question
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import conditions
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.files import below, check_reach, file_rows
from fleetlog_query.sql.scope import Scope
from fleetlog_query.sql.value_rows import value_rows

FEW_RUNS = 1_000
"""When the constraints leave no more, only their rows are read."""
Real = npt.NDArray[np.float64]
Stages = npt.NDArray[np.int64]
Element = TypeVar("Element", bound=np.generic)


class Taken(Protocol):
    """Takes the runs that are shown out of a column of all."""

    def __call__(self, column: npt.NDArray[Element], /) -> npt.NDArray[Element]:
        """Values by place, or the column itself when all are shown."""
        ...


@dataclass(frozen=True)
class Columns:
    """Runs by id: their starts in Unix milliseconds, each objective's values (NaN = none; runs × objectives), the
    labels of each key of group_by; and which constraint put each run aside, from 1 on in their order, 0 = none."""

    ids: Ids
    starts: npt.NDArray[np.int64]
    stages: Stages
    values: Real
    labels: Sequence[Labels]


def read_candidates(question: Question, scope: Scope, columns: ScopeColumns, select: Select) -> Columns:
    """All runs of the scope, whose columns are held; `select` asks the warehouse."""
    runs = columns.runs(select)
    shown = shown_places(runs, question.deleted_view)
    ids = runs.ids if shown is None else Ids(runs.ids.raw[shown])

    def taken(column: npt.NDArray[Element]) -> npt.NDArray[Element]:
        return column if shown is None else column[shown]

    stages = _stages(question, scope, columns, ids, taken, select)
    left = np.flatnonzero(stages == 0)
    sources = {one: Source(one, is_text=False) for one in question.sources}
    groups = [Source(key, is_text=True) for _, key in question.groups]
    apart = _apart(question, [*sources.values(), *groups], scope, columns, ids, left, select)
    columns.read([one for one in (*sources.values(), *groups) if one not in apart], select)
    found = {
        value: apart[source].values if source in apart else taken(columns.numbers(value, select))
        for value, source in sources.items()
    }
    labels = []
    for source, (_, key) in zip(groups, question.groups, strict=True):
        if source in apart:
            labels.append(Labels(apart[source].values, apart[source].texts))
        else:
            whole = columns.texts(key, select)
            labels.append(Labels(taken(whole.codes), whole.texts))
    values = np.empty((len(ids), len(question.objectives)))
    with np.errstate(all="ignore"):
        for place, objective in enumerate(question.objectives):
            values[:, place] = _calculated(objective.value, found)
    return Columns(ids, taken(runs.starts), stages, values, labels)


def _apart(
    question: Question, wanted: Sequence[Source], scope: Scope, columns: ScopeColumns, ids: Ids, left: Places,
    select: Select,
) -> dict[Source, Column]:  # fmt: skip
    """Columns that are read of this question's runs alone: windows; and when few runs are left, what is not held."""
    if not len(left):
        return {source: Column.empty(source, 0, ids) for source in wanted}
    few = scope
    if len(left) <= FEW_RUNS and len(left) < len(ids):
        few = replace(scope, run_ids=tuple(ids.at(place) for place in left.tolist()))
    windows = [one for one in wanted if isinstance(one.value, Series) and one.value.window is not None]
    some = [one for one in wanted if few.run_ids and one not in windows and not columns.holds(one)]
    apart = read_columns({one: Column.empty(one, 0, ids) for one in some}, few, select, wide=False)
    for one in windows:
        apart[one] = Column.empty(one, 0, ids).put(one, select(source_statement(one.value, question, few)))
    return apart


def _stages(question: Question, scope: Scope, columns: ScopeColumns, ids: Ids, taken: Taken, select: Select) -> Stages:
    """Number of the constraint that puts each run aside, from 1 on; 0 = none."""
    plans = [plan for _, plan in question.parts]
    stages = np.zeros(len(ids), np.int64)
    if not plans and not question.artifact:
        return stages
    if not question.artifact and (found := _by_columns(plans, columns, select)) is not None:
        for place, holds in enumerate(found, 1):
            stages[(stages == 0) & ~taken(holds)] = place
        return stages
    if question.artifact and scope.as_of is not None:
        check_reach(lambda binds: f"namespace = {binds.text(scope.namespace)}", scope.as_of, select)
    answer = select(stages_statement(question, scope))
    # A run that went out of sight in between fails the first.
    stages[:] = 1
    rows, places = ids.intersect(Ids.of(answer))
    stages[places] = answer.array("stage")[rows]
    return stages


def _by_columns(plans: Sequence[Plan], columns: ScopeColumns, select: Select) -> list[Holds] | None:
    """For each of the plans which runs it holds of; None when a statement has to tell."""
    try:
        columns.read({source for plan in plans for source in sources_of_plan(plan)}, select)
        return [ColumnConditions(columns, select).holds(plan) for plan in plans]
    except NotByColumns:
        return None


def stages_statement(question: Question, scope: Scope) -> Statement:
    """run_id and stage."""
    binds = Binds()
    stages = ", ".join(f"NOT ({test}), {place}" for place, test in enumerate(_tests(question, scope, binds), 1))
    sql = (
        f"SELECT run_id, multiIf({stages}, 0) AS stage"
        f" FROM {scope.runs(binds)} WHERE {scope.sql(binds)}{DeletedView.of(question.deleted_view).sql} ORDER BY run_id"
    )
    return binds.statement(sql, wide=True)


def source_statement(source: Key | Series, question: Question, scope: Scope) -> Statement:
    """run_id and v; windows, which read points, only of the runs that the constraints leave."""
    binds, among = Binds(), ""
    if isinstance(source, Series) and source.window is not None:
        runs = f"{scope.sql(binds)}{DeletedView.of(question.deleted_view).sql}"
        among = " AND ".join([runs, *_tests(question, scope, binds)])
        among = f"run_id IN (SELECT run_id FROM {scope.runs(binds)} WHERE {among})"
    sql = f"SELECT run_id, v FROM ({value_rows(source, scope, binds, among)}) ORDER BY run_id"
    return binds.statement(sql, wide=isinstance(source, Series))


def _tests(question: Question, scope: Scope, binds: Binds) -> list[str]:
    tests = conditions([plan for _, plan in question.parts], scope, binds)
    if question.artifact:
        owners, paths = f"namespace = {binds.text(scope.namespace)}", below(question.artifact, binds)
        tests.append(f"run_id IN (SELECT run_id {file_rows(owners, paths, scope.as_of, binds)})")
    return tests


def _calculated(value: Value, found: Mapping[Key | Series, Real]) -> Real | float:
    """Values of a calculation, by column; NaN stands for what is missing, and makes everything NaN."""
    if isinstance(value, Computed):
        left, right = np.asarray(_calculated(value.left, found)), np.asarray(_calculated(value.right, found))
        signs = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide}
        result: Real = signs[value.sign](left, right)
        return result
    return value if isinstance(value, float) else found[value]
