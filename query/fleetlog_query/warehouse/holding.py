"""What an iterator of answers keeps in memory between two of them."""

from __future__ import annotations

from collections.abc import Iterable

from fleetlog_core.warehouse.port import Answer, Coded, Read

TEXT_BYTES = 80
"""Bytes of a text in a list, about."""


class Holding:
    """Bytes that one iterator keeps. Set by the thread that makes its items, read by others."""

    def __init__(self) -> None:
        self.bytes = 0


def size_of(columns: Iterable[Read]) -> int:
    """Bytes of columns, about."""
    total = 0
    for column in columns:
        if isinstance(column, Coded):
            total += column.codes.nbytes + TEXT_BYTES * len(column.texts)
        else:
            total += TEXT_BYTES * len(column) if isinstance(column, list) else column.nbytes
    return total


def answer_size(answer: Answer) -> int:
    """Bytes of an answer, about."""
    return size_of(answer.columns.values())
