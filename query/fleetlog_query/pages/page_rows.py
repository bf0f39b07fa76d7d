"""Rows of pages with what they are sorted by, and how two lists of them become one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from fleetlog_core.warehouse.port import Answer
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.runs.run_rows import runs_of
from fleetlog_query.sql.order_by import SortColumn


@dataclass(frozen=True, slots=True)
class PageRow:
    """A run with its attributes alone, and the values of the order as tokens have them."""

    run: run_pb2.Run
    values: Sequence[Any]

    @property
    def run_id(self) -> bytes:
        """Its 16 bytes."""
        return bytes.fromhex(self.run.run_id)


def rows_of(answer: Answer, columns: Sequence[SortColumn]) -> list[PageRow]:
    """The rows of an answer to a page's statement, in its order."""
    if not answer.rows:
        return []
    values: list[list[Any]] = []
    for place, column in enumerate(columns):
        if column.type == "text":
            values.append(answer.texts(f"s{place}"))
        else:
            kind = int if column.type == "whole" else float
            values.append([kind(value) for value in answer.array(f"s{place}").tolist()])
    return [PageRow(run, one) for run, one in zip(runs_of(answer), zip(*values, strict=True), strict=True)]


def sort_key(columns: Sequence[SortColumn]) -> Callable[[Sequence[Any]], Any]:
    """What puts values of the order in their order, as the statement does."""

    def compare(one: Sequence[Any], other: Sequence[Any]) -> int:
        for column, left, right in zip(columns, one, other, strict=True):
            # Code points have the order of their UTF-8 bytes.
            if left != right:
                return -1 if (left < right) is not column.descending else 1
        return 0

    return cmp_to_key(compare)


def spliced(
    now: Sequence[PageRow], then: Sequence[PageRow], changed: Collection[bytes], columns: Sequence[SortColumn],
    last: Sequence[Any] | None, *, whole: bool,
) -> list[PageRow]:  # fmt: skip
    """The rows of `now` without those of changed runs, and rows of `then` instead, in order, behind `last`.

    `whole`: there are no more rows now. Else those that come behind the last one of `now` are left out, since of such
    not all are known.
    """
    key = sort_key(columns)
    begin, end = None if last is None else key(last), None if whole or not now else key(now[-1].values)
    found = [row for row in now if row.run_id not in changed]
    for row in then:
        place = key(row.values)
        if (begin is None or place > begin) and (end is None or place < end):
            found.append(row)
    return sorted(found, key=lambda row: key(row.values))
