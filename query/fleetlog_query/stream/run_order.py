"""The runs of a search, all of them, in order: a list that stays as it is while runs change.

A stream reads its runs by this list, so a run that moves to another place while the stream goes on is neither sent
twice nor left out. A run takes 16 bytes, and 8 to 17 for each key of the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer, Warehouse

from fleetlog_query.pages.page import PageQuery, order_statement
from fleetlog_query.sql.order_by import SortColumn

_SORTABLE = "S16"
_SAMPLED = 1_000
_SCATTERED = 4


@dataclass(frozen=True)
class RunOrder:
    """Ids in order, and what each place is sorted by."""

    answer: Answer
    columns: Sequence[SortColumn]

    def __len__(self) -> int:
        return self.answer.rows

    def part(self, first: int, count: int) -> bytes:
        """The ids of some places, 16 bytes each, one after another; fewer at the end."""
        return self.answer.array("run_id")[first : first + count].tobytes()

    def scattered(self, first: int, count: int) -> bool:
        """Whether the ids of some places lie among many others: then their rows are all over the tables."""
        some = np.sort(np.frombuffer(self.part(first, count), _SORTABLE))
        if not len(some):
            return False
        within = np.searchsorted(self._sample, some[[0, -1]])
        share = float(within[1] - within[0]) / len(self._sample)
        return share * len(self) > _SCATTERED * len(some)

    @cached_property
    def _sample(self) -> npt.NDArray[np.bytes_]:
        step = max(1, len(self) // _SAMPLED)
        return np.sort(np.ascontiguousarray(self.answer.array("run_id")[::step]).view(_SORTABLE))

    def values(self, place: int) -> list[Any]:
        """What the token of the runs behind a place holds."""
        values: list[Any] = []
        for number, column in enumerate(self.columns[:-1]):
            if column.type == "text":
                values.append("" if column.constant else _text(self.answer, f"s{number}", place))
            else:
                value = 0 if column.constant else self.answer.array(f"s{number}")[place].item()
                values.append(int(value) if column.type == "whole" else float(value))
        return [*values, self.part(place, 1).hex()]


def _text(answer: Answer, name: str, place: int) -> str:
    column = answer.coded(name)
    return str(column.texts[int(column.codes[place])])


def read_order(warehouse: Warehouse, query: PageQuery, timeout_seconds: float) -> RunOrder:
    """The whole order behind `query.last`. TimedOut."""
    return RunOrder(warehouse.select(order_statement(query), timeout_seconds=timeout_seconds), query.columns)
