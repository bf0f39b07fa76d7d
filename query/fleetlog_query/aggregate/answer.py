"""Curves of groups of runs: their runs and labels from the warehouse, their buckets as ReadMetric has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from fleetlog_core import limits
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import aggregate_pb2, metric_pb2

from fleetlog_query.aggregate.curves import Curve, Label, Rows, largest
from fleetlog_query.aggregate.question import Question
from fleetlog_query.language.plan import Plan
from fleetlog_query.language.values import Key
from fleetlog_query.series.series import SeriesReader
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope, attribute_text_sql, attrs_of
from fleetlog_query.warehouse.holding import Holding
from fleetlog_query.warehouse.rows import rows_of


class Aggregates:
    """Answers for the runs of a scope. Thread-safe."""

    def __init__(self, warehouse: Warehouse, series: SeriesReader) -> None:
        self._warehouse = warehouse
        self._series = series

    def curves(
        self, question: Question, scope: Scope, plan: Plan | None, deleted_view: int
    ) -> aggregate_pb2.AggregateMetricResponse:
        """See the proto. TOO_MANY_RUNS, TimedOut."""
        run_ids = self._run_ids(question, scope, plan, deleted_view)
        labels = self._labels(question.groups, scope, run_ids)
        numbers = largest([labels[run_id] for run_id in run_ids], question.limit)
        of_run = {run_id: numbers[label] for run_id, label in labels.items() if label in numbers}
        rows, held = Rows(), [0] * len(numbers)
        wanted = tuple(run_id for run_id in run_ids if run_id in of_run)
        buckets = min(question.series.buckets, limits.AGGREGATE_NUMBERS // max(1, len(wanted)))
        series = replace(question.series, run_ids=wanted, buckets=buckets, as_of=scope.as_of)
        for response in self._series.read(series, Holding()) if wanted else ():
            for part in response.parts:
                group = of_run[bytes.fromhex(part.run_id)]
                held[group] += 1
                _add(rows, group, part.buckets)
        answer = aggregate_pb2.AggregateMetricResponse(left_out_runs=len(run_ids) - len(wanted))
        for label, curve in zip(numbers, rows.curves(len(numbers)), strict=True):
            answer.groups.append(_message(question.groups, label, held[numbers[label]], curve))
        return answer

    def _run_ids(self, question: Question, scope: Scope, plan: Plan | None, deleted_view: int) -> list[bytes]:
        """Runs that match and have the metric, by id. TOO_MANY_RUNS."""
        binds = Binds()
        where = f"{scope.sql(binds)}{DeletedView.of(deleted_view).sql}"
        if plan is not None:
            where += f" AND {condition(plan, scope, binds)}"
        having = f"SELECT run_id {attrs_of('metrics', question.series.keys[0], scope, binds)}"
        sql = (
            f"SELECT run_id FROM {scope.runs(binds)} WHERE {where} AND run_id IN ({having})"
            f" ORDER BY run_id LIMIT {limits.AGGREGATE_RUNS + 1}"
        )
        found: list[bytes] = self._warehouse.select(binds.statement(sql, wide=True)).array("run_id").tolist()
        if len(found) > limits.AGGREGATE_RUNS:
            what = f"more than {limits.AGGREGATE_RUNS:,} runs match that have the metric; narrow the filter"
            raise ResourceExhausted("TOO_MANY_RUNS", what)
        return found

    def _labels(self, groups: Sequence[Key], scope: Scope, run_ids: Sequence[bytes]) -> dict[bytes, Label]:
        columns = [self._texts(key, replace(scope, run_ids=tuple(run_ids))) for key in groups] if run_ids else []
        return {run_id: tuple(column.get(run_id) for column in columns) for run_id in run_ids}

    def _texts(self, key: Key, scope: Scope) -> dict[bytes, str]:
        """Values of a key by run; those that have none are left out."""
        binds = Binds()
        if key.kind == "attributes":
            text, present = attribute_text_sql(key.key)
            rows = f"SELECT run_id, {text} AS label FROM {scope.runs(binds)} WHERE {scope.sql(binds)} AND {present}"
        else:
            rows = f"SELECT run_id, str AS label {attrs_of(key.kind, key.key, scope, binds)}"
        return dict(rows_of(self._warehouse.select(binds.statement(rows, wide=True)), "run_id", "label"))


def _add(rows: Rows, group: int, buckets: metric_pb2.BucketChunk) -> None:
    xs = np.frombuffer(buckets.steps, "<i8")
    means, mins, maxs = (np.frombuffer(column, "<f8") for column in (buckets.means, buckets.mins, buckets.maxs))
    rows.add(group, xs, means, mins, maxs)


def _message(keys: Sequence[Key], label: Label, runs: int, curve: Curve) -> aggregate_pb2.AggregatedGroup:
    group = aggregate_pb2.AggregatedGroup(runs=runs)
    for value in label:
        group.values.add(value=value)
    group.xs, group.counts = curve.xs.astype("<i8").tobytes(), curve.counts.astype("<u8").tobytes()
    group.means, group.stds = curve.means.astype("<f8").tobytes(), curve.stds.astype("<f8").tobytes()
    group.mins, group.maxs = curve.mins.astype("<f8").tobytes(), curve.maxs.astype("<f8").tobytes()
    return group
