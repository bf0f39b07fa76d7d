"""Pages and orders over columns that are held: no statement is made while nothing changes.

What a search asks for is read and held, unless the scope is a wide one (`latest_runs.WIDE_RUNS`): to read a column of
it takes as long as many searches, and to renew all that are held as long as one, so for a first page only what is held
and current is used. An order as of a position costs more by a statement: what is held is renewed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.column_cache.columns import Source
from fleetlog_query.column_cache.conditions import ColumnConditions, NotByColumns, sources_of_plan
from fleetlog_query.column_cache.labels import Places
from fleetlog_query.column_cache.ranking import ColumnOrder, sources_of_order
from fleetlog_query.column_cache.scope_columns import HeldColumns, ScopeColumns, shown_places
from fleetlog_query.order.run_order import RunOrder
from fleetlog_query.pages import latest_runs
from fleetlog_query.pages.latest_runs import LatestRuns
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.runs.documents import Documents
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.cancellable import CancellableWarehouse

MOST_CHANGED = 5_000
"""Maximum runs that changed since a position whose past is looked up; beyond it all runs are read as they were."""
MOST_VALUES = 16_000_000
"""Maximum values of all columns of a question together: 128 MB."""
Result = TypeVar("Result")


class ColumnPages:
    """Reads pages. Used from many threads."""

    def __init__(
        self, warehouse: CancellableWarehouse, changed_runs: ChangedRuns, held: HeldColumns, documents: Documents,
        latest: LatestRuns,
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._changed_runs = changed_runs
        self._held = held
        self._documents = documents
        self._latest = latest

    def page(self, query: PageQuery) -> list[run_pb2.Run] | None:
        """The page and one run more; None when a statement has to tell. TimedOut."""

        def found(columns: ScopeColumns, select: Select) -> list[bytes]:
            return RunOrder(_first(query, columns, select, query.size + 1), is_whole=False).part(0, query.size + 1)

        run_ids = self._asked(query, found)
        if run_ids is None:
            return None
        runs = self._documents.attributes(query.scope.namespace, run_ids, experiments=query.scope.experiments)
        for run in runs:
            # Told of runs that are asked for by their ids alone, as statements do.
            run.ClearField("delete_time_millis")
        return runs

    def order(self, query: PageQuery, position: AsOf, most: int | None) -> RunOrder | None:
        """The first `most` runs as of a position, None = all; None when a statement has to tell. TimedOut."""
        sources = _sources_of(query)
        # Before anything is read: what changed of very many runs is not renewed for a statement to tell after all.
        if sources is None or self._changed_since(query.scope, position) is None:
            return None

        def found(columns: ScopeColumns, select: Select) -> RunOrder:
            # Behind what was read: a run that is not named is in it as it was at the position.
            changed = self._changed_since(query.scope, position)
            if changed is None:
                raise NotByColumns
            then = columns.as_of(position, changed, sources, select) if changed else columns
            ids = _first(query, then, select, most)
            return RunOrder(ids, most is None or len(ids) < most)

        return self._asked(query, found, renewed=True)

    def _changed_since(self, scope: Scope, position: AsOf) -> Set[bytes] | None:
        """The runs that changed; None = too many."""
        changed = self._changed_runs.since(scope, position)
        return None if changed is None or len(changed) > MOST_CHANGED else changed.keys()

    def count(self, query: PageQuery) -> int | None:
        """Count of runs that match; None when a statement has to tell. TimedOut."""
        return self._asked(query, lambda columns, select: len(_matching(query, columns, select)))

    def _asked(
        self, query: PageQuery, ask: Callable[[ScopeColumns, Select], Result], *, renewed: bool = False
    ) -> Result | None:  # fmt: skip
        """`renewed`: columns of wide scopes that are held are brought up to date."""
        scope, wanted = query.scope, _sources_of(query)
        if not self._held.held_bytes or scope.as_of is not None or wanted is None:
            return None

        select = self._warehouse.select
        with self._held.of(scope) as columns:
            if not self._may_read(columns, wanted, query, select, renewed=renewed):
                return None
            try:
                if len(columns.runs(select).ids) * len(wanted) > MOST_VALUES:
                    return None
                columns.read(wanted, select)
                return ask(columns, select)
            except NotByColumns:
                return None

    def _may_read(
        self, columns: ScopeColumns, wanted: Collection[Source], query: PageQuery, select: Select, *,
        renewed: bool,
    ) -> bool:  # fmt: skip
        """True if the columns are held, or are to be."""
        length = columns.length
        is_wide = self._latest.is_wide(query.scope) if length is None else length > latest_runs.WIDE_RUNS
        if not is_wide:
            return columns.fit(wanted, select)
        return length is not None and all(map(columns.holds, wanted)) if renewed else columns.is_current(wanted)


def _sources_of(query: PageQuery) -> set[Source] | None:
    """Columns that a search asks for; None when a statement has to tell."""
    try:
        return sources_of_plan(query.plan) | sources_of_order(query.keys)
    except NotByColumns:
        return None


def _first(query: PageQuery, columns: ScopeColumns, select: Select, count: int | None) -> npt.NDArray[np.void]:
    """Ids of the first runs, in order; None = of all."""
    places = _matching(query, columns, select)
    order = ColumnOrder(query.keys, columns, select)
    return columns.runs(select).ids.raw[order.first(places, len(places) if count is None else count)]


def _matching(query: PageQuery, columns: ScopeColumns, select: Select) -> Places:
    runs = columns.runs(select)
    shown = shown_places(runs, query.deleted_view)
    places = np.arange(len(runs.ids)) if shown is None else shown
    if query.plan is None:
        return places
    holds = ColumnConditions(columns, select).holds(query.plan)
    return places[holds[places]] if shown is not None else np.flatnonzero(holds)
