"""Pages over columns that are held: no statement is made while nothing changes.

What a search asks for is read and held, unless the scope is a wide one (`latest_runs.WIDE_RUNS`): to read a column of
it takes as long as many searches, and to renew all that are held as long as one, so only what is held and current is
used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.column_cache.columns import Source
from fleetlog_query.column_cache.conditions import ColumnConditions, NotByColumns, sources_of_plan
from fleetlog_query.column_cache.frame import Frame, Runs, shown_places
from fleetlog_query.column_cache.frames import Frames
from fleetlog_query.column_cache.labels import Places
from fleetlog_query.column_cache.ranking import ColumnOrder, sources_of_order
from fleetlog_query.pages import latest_runs
from fleetlog_query.pages.latest_runs import Windows
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.pages.page_rows import PageRow
from fleetlog_query.runs.documents import Documents
from fleetlog_query.series.series_rows import Select
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.cancellable import CancellableWarehouse

Result = TypeVar("Result")


class ColumnPages:
    """Reads pages. Used from many threads."""

    def __init__(
        self, warehouse: CancellableWarehouse, frames: Frames, documents: Documents, windows: Windows
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._frames = frames
        self._documents = documents
        self._windows = windows

    def page(self, query: PageQuery, timeout_seconds: float) -> list[PageRow] | None:
        """The page and one row more; None when a statement has to tell. TimedOut."""
        until = time.monotonic() + timeout_seconds

        def found(frame: Frame, runs: Runs, select: Select) -> list[tuple[bytes, list[object]]]:
            places = _matching(query, frame, runs, select)
            order = ColumnOrder(query.keys, runs, frame, select)
            if query.last is not None:
                places = order.behind(places, query.last)
            return [(runs.ids.at(place), order.row(place)) for place in order.first(places, query.size + 1)]

        rows = self._asked(query, found, until)
        if rows is None:
            return None
        run_ids = [run_id for run_id, _ in rows]
        left = max(until - time.monotonic(), 0.001)
        runs = {run.run_id: run for run in self._documents.attributes(query.scope.namespace, run_ids, left)}
        for run in runs.values():
            # Told of runs that are asked for by their ids alone, as statements do.
            run.ClearField("delete_time_millis")
        return [PageRow(runs[run_id.hex()], values) for run_id, values in rows if run_id.hex() in runs]

    def count(self, query: PageQuery, timeout_seconds: float) -> int | None:
        """How many runs match; None when a statement has to tell. TimedOut."""
        until = time.monotonic() + timeout_seconds
        return self._asked(query, lambda frame, runs, select: len(_matching(query, frame, runs, select)), until)

    def _asked(
        self, query: PageQuery, ask: Callable[[Frame, Runs, Select], Result], until: float
    ) -> Result | None:  # fmt: skip
        scope = query.scope
        if not self._frames.held_bytes or scope != Scope(scope.namespace, scope.experiments):
            return None
        try:
            wanted = sources_of_plan(query.plan) | sources_of_order(query.keys)
        except NotByColumns:
            return None

        def select(statement: Statement) -> Answer:
            return self._warehouse.select(statement, timeout_seconds=max(until - time.monotonic(), 0.001))

        with self._frames.of(scope, max(until - time.monotonic(), 0.001)) as frame:
            if not self._may_read(frame, wanted, query, select, until):
                return None
            try:
                return ask(frame, frame.runs(select), select)
            except NotByColumns:
                return None

    def _may_read(
        self, frame: Frame, wanted: set[Source], query: PageQuery, select: Select, until: float
    ) -> bool:  # fmt: skip
        """True if the columns are held, or are to be."""
        length = frame.length
        if length is None:
            is_wide = self._windows.wide(query.scope, max(until - time.monotonic(), 0.001))
        else:
            is_wide = length > latest_runs.WIDE_RUNS
        return frame.is_current(wanted) if is_wide else all(frame.fits(source, select) for source in wanted)


def _matching(query: PageQuery, frame: Frame, runs: Runs, select: Select) -> Places:
    shown = shown_places(runs, query.deleted_view)
    places = np.arange(len(runs.ids)) if shown is None else shown
    if query.plan is None:
        return places
    holds = ColumnConditions(frame, select).holds(query.plan)
    return places[holds[places]] if shown is not None else np.flatnonzero(holds)
