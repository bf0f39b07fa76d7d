"""Some runs as they were at a position, looked up by their ids, and whether a search found them then.

A few small statements bring what they had (see past_keys), and the filter and the order are worked out here. One
statement as of the position would do the same in several times as long, most of it in its analysis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fleetlog_core.datasets import PARTS
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_proto.v1 import run_pb2, scope_pb2

from fleetlog_query.language.conditions import leaves, reads
from fleetlog_query.language.reference.evaluate import Row, matches
from fleetlog_query.language.reference.ranking import place_of
from fleetlog_query.language.values import Key, Series
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.pages.page_rows import PageRow
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_rows import RUN_COLUMNS, runs_of
from fleetlog_query.snapshot.key_lookup import PastKeys
from fleetlog_query.sql.as_of import STATE_COLUMNS, AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.warehouse.pattern_statement import steps_of

CONDITIONS = 100_000
"""Maximum conditions of all runs together: each takes some microseconds and holds up everybody else in the process."""


def sources_of(query: PageQuery) -> list[Key | Series]:
    """What its filter and its order look at."""
    sources = [source for leaf in leaves(query.plan) for source in reads(leaf)]
    return sources + [source for key in query.keys for source in key.sources]


def can_tell(query: PageQuery, runs: int) -> bool:
    """Whether `PastRuns` is for so many runs. Functions of series look at points; much work, and patterns that can
    take long for one text, are the engine's."""
    conditions = list(leaves(query.plan))
    if (1 + len(conditions)) * runs > CONDITIONS or any(map(steps_of, conditions)):
        return False
    return all(isinstance(source, Key) for source in sources_of(query))


class PastRuns:
    """The runs of one search at a position. TimedOut, TooMuchToRead."""

    def __init__(self, warehouse: CancellableWarehouse, query: PageQuery, as_of: AsOf, timeout_seconds: float) -> None:
        self._warehouse = warehouse
        self._query = query
        self._as_of = as_of
        self._timeout_seconds = timeout_seconds

    def found(self, run_ids: Sequence[bytes]) -> Iterator[PageRow]:
        """Runs that belonged to the search, wherever in its order. ValueError for one with functions of series."""
        query = self._query
        then = self._warehouse.beside(lambda: self._then(run_ids))
        kinds: dict[str, frozenset[str] | None] = {}
        for source in sources_of(query):
            if not isinstance(source, Key):
                raise ValueError(f"{source} is of points")
            if source.kind == "datasets":
                kinds["datasets"] = None
            elif source.kind != "attributes":
                kinds[source.kind] = (kinds.get(source.kind) or frozenset()) | {source.key}
        with_keys = {run_id: run_pb2.Run() for run_id in run_ids}
        keys = PastKeys(self._warehouse, query.scope.namespace, with_keys, self._as_of, self._timeout_seconds)
        keys.put(ReadMask(kinds), kinds.get("metrics") or frozenset())
        for run in then.result():
            run_id = bytes.fromhex(run.run_id)
            had = with_keys[run_id]
            metrics = {metric.key: metric.last for metric in had.metrics}
            datasets = [{part: getattr(one, part) for part in PARTS} for one in had.datasets]
            params, tags = keys.params.get(run_id, {}), dict(had.tags)
            row = Row(_attributes(run), params, tags, metrics, datasets=datasets)
            if _is_shown(run, query.deleted_view) and matches(query.plan, row):
                places = [part for key in query.keys for part in place_of(key, row)]
                yield PageRow(run, [*places, run.start_time_millis, run.run_id])

    def _then(self, run_ids: Sequence[bytes]) -> list[run_pb2.Run]:
        """With their attributes: as they are when that is from before the position, else as they were last."""
        binds = Binds()
        scope = replace(self._query.scope, run_ids=tuple(run_ids))
        is_since = f"ver >= {self._as_of.bound(binds)}"
        answer = self._select(
            f"SELECT {RUN_COLUMNS}, {is_since} AS since FROM runs FINAL WHERE {scope.sql(binds)}", binds
        )
        since = answer.array("since").tolist()
        runs = runs_of(answer) if answer.rows else []
        changed = [bytes.fromhex(run.run_id) for run, one in zip(runs, since, strict=True) if one]
        return [run for run, one in zip(runs, since, strict=True) if not one] + self._before(changed)

    def _before(self, run_ids: Sequence[bytes]) -> list[run_pb2.Run]:
        if not run_ids:
            return []
        binds = Binds()
        states = ", ".join(f"argMax({name}, ver) AS {name}" for name in STATE_COLUMNS)
        where = f"{replace(self._query.scope, run_ids=tuple(run_ids)).sql(binds)} AND ver < {self._as_of.bound(binds)}"
        answer = self._select(
            f"SELECT {RUN_COLUMNS} FROM (SELECT namespace, experiment, run_id, {states} FROM run_history WHERE {where}"
            " GROUP BY namespace, experiment, run_id)",
            binds,
        )
        return runs_of(answer) if answer.rows else []

    def _select(self, sql: str, binds: Binds) -> Answer:
        return self._warehouse.select(Statement(sql, binds.values), timeout_seconds=self._timeout_seconds)


def _attributes(run: run_pb2.Run) -> Mapping[str, float | str | None]:
    return {
        "run_id": run.run_id, "name": run.name, "user": run.user, "state": float(run.state),
        "start_time": float(run.start_time_millis), "experiment_id": float(run.experiment_id),
        "end_time": float(run.end_time_millis) if run.end_time_millis else None,
        "parent_run_id": run.parent_run_id or None,
    }  # fmt: skip


def _is_shown(run: run_pb2.Run, deleted_view: int) -> bool:
    if deleted_view == scope_pb2.DELETED_VIEW_ALL:
        return True
    return run.deleted == (deleted_view == scope_pb2.DELETED_VIEW_DELETED)
