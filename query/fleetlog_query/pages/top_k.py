"""Pages by a number: only runs whose number is among the foremost are joined and sorted.

For scopes whose columns are not held: without it an order by a metric over 1,000,000 runs misses its mark, a p95 of 60
ms (docs/decisions/0005-search-index.md).

Each granule's lowest and highest number are known, so the foremost are found in few of them. They are read with those
that were superseded and not yet merged away: to tell them costs several times the rest. So what the runs that were
found have now is read, beside the page that holds when nothing of it was superseded. Every number that is before all
others now was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeGuard

from fleetlog_core.warehouse.port import Answer

from fleetlog_query.language.values import EXACT, Computed, Key, Series, TextOf
from fleetlog_query.pages.latest_runs import LatestRuns
from fleetlog_query.pages.page import PageQuery, extreme_of, extremes_statement, page_statement, top_k_statement
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.run_keys import read_run_keys
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.warehouse.rows import rows_of

SPARES = (3, 200)
"""TopK runs that are looked at beyond the page, at first and then: deleted ones may be among them."""


class TopK:
    """Finds pages of runs that have a number of the first key of the order."""

    def __init__(self, warehouse: CancellableWarehouse, latest: LatestRuns) -> None:
        self._warehouse = warehouse
        self._latest = latest

    def page(self, query: PageQuery) -> Answer | None:
        """None: too many of them were deleted, or too few runs have a number."""
        # Points are not read twice if once will do.
        for spare in SPARES[-1:] if query.keys[0].reads_windows else SPARES:
            found = self._page(query, query.size + 1 + spare)
            if found is not None:
                return found
        return None

    def _page(self, query: PageQuery, count: int) -> Answer | None:
        numbers, last = self._numbers(query, count)
        foremost = _before(numbers, last, query)
        if len(foremost) <= query.size:
            return None
        value = query.keys[0].value
        if isinstance(value, Key) and value.kind == "params" and any(abs(one) >= EXACT for one in numbers.values()):
            # Their order is not that of their doubles alone.
            return None
        if not _is_of_rows(value):
            return self._of(query, foremost)
        reading = self._warehouse.beside(lambda: self._now(query.scope.namespace, value, list(numbers)))
        found = self._of(query, foremost)
        now = reading.result()
        if any(now.get(run_id) != number for run_id, number in numbers.items()):
            foremost = _before(now, last, query)
            found = self._of(query, foremost) if len(foremost) > query.size else None
        return found

    def _numbers(self, query: PageQuery, count: int) -> tuple[dict[bytes, float], float | None]:
        """Runs with the foremost numbers; and the last of the numbers, None = there are no more.

        Others may have the number of the last one too, and come before it: that number is left out.
        """
        # What an index finds is not worth a second core.
        by_index = query.plan is None and _is_of_rows(query.keys[0].value)
        wide = not by_index and self._latest.is_wide(query.scope)
        answer = self._warehouse.select(top_k_statement(query, count, wide=wide))
        numbers: dict[bytes, float] = {}
        for run_id, number in rows_of(answer, "run_id", "num"):
            numbers.setdefault(run_id, number + 0.0)
        return numbers, float(answer.array("num")[-1]) if answer.rows == count else None

    def _now(self, namespace: str, value: Key | Series, run_ids: list[bytes]) -> dict[bytes, float]:
        """The numbers that runs have."""
        if isinstance(value, Key):
            mask = ReadMask().with_key(value)
            return read_run_keys(self._warehouse, namespace, run_ids, mask).numbers(value)
        statement = extremes_statement(value, namespace, run_ids)
        answer = self._warehouse.select(statement)
        return dict(rows_of(answer, "run_id", "v"))

    def _of(self, query: PageQuery, foremost: Mapping[bytes, float]) -> Answer | None:
        page = page_statement(replace(query, plan=None), wide=False, foremost=foremost)
        answer = self._warehouse.select(page)
        return answer if answer.rows > query.size else None


def _is_of_rows(value: Key | TextOf | Series | Computed) -> TypeGuard[Key | Series]:
    """True if the sort value is stored per row, so that the top rows tell the top runs."""
    return isinstance(value, Key) or (isinstance(value, Series) and extreme_of(value) is not None)


def _before(numbers: Mapping[bytes, float], last: float | None, query: PageQuery) -> dict[bytes, float]:
    """Numbers that come before the last one; None = all."""
    if last is None:
        return dict(numbers)
    way = -1 if query.keys[0].descending else 1
    return {run_id: number for run_id, number in numbers.items() if number * way < last * way}
