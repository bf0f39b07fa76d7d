"""Pages by a number of metrics: only runs whose number is among the foremost are joined and sorted.

The foremost numbers of a metric are read with those that were superseded and not yet merged away: to tell them costs
several times the rest. So what the runs that were found have now is read, beside the page that holds when nothing of it
was superseded; the runs' other keys come along. Every number that is before all others now was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fleetlog_core.warehouse.port import Answer
from fleetlog_proto.v1 import scope_pb2

from fleetlog_query.cancelling import CancellableWarehouse
from fleetlog_query.filter.values import Key, Series
from fleetlog_query.leading import Leading
from fleetlog_query.page import PageQuery, foremost_statement, page_statement
from fleetlog_query.read_mask import ReadMask
from fleetlog_query.run_keys import RunKeys, read_run_keys
from fleetlog_query.window import Windows

SPARES = (3, 200)
"""Foremost runs that are looked at beyond the page, at first and then: deleted ones may be among them."""
MOST_WITH_KEYS = 128
"""Keys of so many runs are read at once, at most."""


@dataclass(frozen=True)
class Found:
    """A page and one row more, and what was read of the runs' keys, if it was."""

    answer: Answer
    keys: RunKeys | None = None


class Foremost:
    """Finds pages of runs that have the first number of the order."""

    def __init__(self, warehouse: CancellableWarehouse, windows: Windows, leading: Leading) -> None:
        self._warehouse = warehouse
        self._windows = windows
        self._leading = leading

    def page(self, query: PageQuery, mask: ReadMask | None, timeout_seconds: float) -> Found | None:
        """None: too many of them were deleted, or the page goes on behind the numbers, to runs without one.

        `mask`: the keys that the page's runs are wanted with.
        """
        if query.last is not None and query.last[0] != 0:
            return None
        # Points are not read twice if once will do.
        for spare in SPARES[-1:] if query.keys[0].reads_windows else SPARES:
            found = self._page(query, mask, query.size + 1 + spare, timeout_seconds)
            if found is not None:
                return found
        return None

    def _page(self, query: PageQuery, mask: ReadMask | None, count: int, timeout_seconds: float) -> Found | None:
        numbers, last = self._numbers(query, count, timeout_seconds)
        foremost = _before(numbers, last, query)
        if len(foremost) <= query.size:
            return None
        key = query.keys[0].value
        if not isinstance(key, Key):
            return self._of(query, foremost, timeout_seconds)
        with_keys = mask is not None and len(numbers) <= MOST_WITH_KEYS
        wanted = mask if mask is not None and with_keys else ReadMask()
        reading = self._warehouse.beside(lambda: self._keys(query, list(numbers), wanted, key, timeout_seconds))
        found = self._of(query, foremost, timeout_seconds)
        keys = reading.result()
        now = keys.numbers(key)
        if any(now.get(run_id) != number for run_id, number in numbers.items()):
            foremost = _before(now, last, query)
            found = self._of(query, foremost, timeout_seconds) if len(foremost) > query.size else None
        return replace(found, keys=keys) if found is not None and with_keys else found

    def _numbers(
        self, query: PageQuery, count: int, timeout_seconds: float
    ) -> tuple[Mapping[bytes, float], float | None]:
        """Runs with the foremost numbers; and the last of the numbers, None = there are no more.

        Others may have the number of the last one too, and come before it: that number is left out.
        """
        key = query.keys[0]
        numbers: Mapping[bytes, float] | None = None
        is_active = query.deleted_view in (scope_pb2.DELETED_VIEW_UNSPECIFIED, scope_pb2.DELETED_VIEW_ACTIVE)
        if query.plan is None and is_active and isinstance(key.value, Key | Series) and not key.reads_windows:
            numbers = self._leading.foremost(
                query.scope, key.value, count, descending=key.descending,
                bound=None if query.last is None else float(query.last[1]), timeout_seconds=timeout_seconds,
            )  # fmt: skip
        if numbers is not None:
            return numbers, list(numbers.values())[-1] if len(numbers) == count else None
        statement = foremost_statement(query, count, wide=self._windows.wide(query.scope, timeout_seconds))
        rows = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        run_ids = (run_id.tobytes() for run_id in rows.array("run_id"))
        numbers = dict(zip(run_ids, rows.array("num").tolist(), strict=True))
        return numbers, float(rows.array("num")[-1]) if rows.rows == count else None

    def _keys(
        self, query: PageQuery, run_ids: list[bytes], mask: ReadMask, key: Key, timeout_seconds: float
    ) -> RunKeys:
        return read_run_keys(self._warehouse, query.scope.namespace, run_ids, mask, timeout_seconds, also=key)

    def _of(self, query: PageQuery, foremost: Mapping[bytes, float], timeout_seconds: float) -> Found | None:
        page = page_statement(replace(query, plan=None), wide=False, foremost=foremost)
        answer = self._warehouse.select(page, timeout_seconds=timeout_seconds)
        return Found(answer) if answer.rows > query.size else None


def _before(numbers: Mapping[bytes, float], last: float | None, query: PageQuery) -> dict[bytes, float]:
    """Those that come before a number; None = all."""
    if last is None:
        return dict(numbers)
    way = -1 if query.keys[0].descending else 1
    return {run_id: number for run_id, number in numbers.items() if number * way < last * way}
