"""Points of a run in a file of SQLite, by its pages: the batches that its rows would make, without a row in Python.

What pages can't tell, SQLite does: a log beside the file, texts of another kind than expected, a table of few rows.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleetlog.importers.mlflow_stores.sqlite_pages import Bytes, Ints, PageFile, UnusualPagesError
from fleetlog.importers.mlflow_stores.sqlite_records import (
    Records,
    integers,
    is_text,
    reals,
    records_of,
    texts,
    truths,
)

MANY = 2_000
"""Rows of a run from which on pages are faster; fewer than are read together."""
SPARSE = 6
"""Rows of a table for one of the run between its first and its last, with which pages are slower."""
_PAGES_AT_ONCE = 256
_WANTED = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """Rows of the table of metrics, as columns."""

    keys: Sequence[bytes]
    """Distinct keys, in the order in which they come first."""
    codes: Ints
    """Which of the keys each row has."""
    values: npt.NDArray[np.float64]
    times: Ints
    steps: Ints
    are_nan: npt.NDArray[np.bool_]

    def rows(self, first: int, end: int) -> MetricColumns:
        """Some of the rows."""
        some = slice(first, end)
        return MetricColumns(
            self.keys, self.codes[some], self.values[some], self.times[some], self.steps[some], self.are_nan[some]
        )


class MetricPages:
    """The table of metrics of a database. UnusualPagesError: it is not one whose pages are read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._connection = connection
        columns = connection.execute("SELECT name, hidden FROM pragma_table_xinfo('metrics') ORDER BY cid").fetchall()
        names = [_text(name) for name, _ in columns]
        if any(hidden for _, hidden in columns) or not set(_WANTED) <= set(names):
            raise UnusualPagesError
        self._places = {name: names.index(name) for name in _WANTED}
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ?", [""]
        ).fetchall()
        ways = [
            f" USING INDEX {_text(name)} (run_uuid=?)"
            for (name,) in connection.execute(
                "SELECT name FROM pragma_index_list('metrics') AS l"
                " WHERE (SELECT group_concat(name) FROM pragma_index_info(l.name)) = 'run_uuid'"
            )
        ]
        kind = _text(connection.execute("SELECT sql FROM sqlite_master WHERE name = 'metrics'").fetchone()[0])
        if len(plan) != 1 or not _text(plan[0][3]).endswith(tuple(ways)) or "WITHOUT" in kind.upper():
            # Then a run's rows are not in the order of their ids.
            raise UnusualPagesError
        try:
            self._file = PageFile(path)
        except OSError:
            raise UnusualPagesError from None

    def batches(self, run_id: str, size: int) -> Iterator[MetricColumns]:
        """Yields rows of a run, as many at once, in the order of their ids. UnusualPagesError: SQLite has the rest.

        Who asks has a statement of the connection open, whose lock keeps others from writing.
        """
        first, last = (
            self._connection.execute(
                f"SELECT rowid FROM metrics WHERE run_uuid = ? ORDER BY rowid {order} LIMIT 1", [run_id]
            ).fetchone()[0]
            for order in ("ASC", "DESC")
        )
        try:
            self._file.check()
            yield from _cut(self._pieces(first, last, run_id.encode()), size)
        except OSError:
            raise UnusualPagesError from None

    def _pieces(self, first: int, last: int, run_id: bytes) -> Iterator[MetricColumns]:
        """Rows of the run, which have ids from first to last."""
        root = self._connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metrics'").fetchone()[0]
        numbers = self._file.leaves(root, first, last)
        looked_at, found = 0, 0
        while some := list(itertools.islice(numbers, _PAGES_AT_ONCE)):
            pages = self._file.read(some)
            records = records_of(
                pages, self._file.cells(pages), 1 + max(self._places.values()), self._file.most_payload
            )
            records = records.between(first, last)
            own = records.where(is_text(pages, records.fields[self._places["run_uuid"]], run_id))
            looked_at, found = looked_at + len(records.rowids), found + len(own.rowids)
            if looked_at > SPARSE * found + MANY:
                raise UnusualPagesError
            if len(own.rowids):
                yield self._columns(pages, own)

    def _columns(self, pages: Bytes, records: Records) -> MetricColumns:
        key, value, time, step, is_nan, _ = (records.fields[self._places[name]] for name in _WANTED)
        return MetricColumns(
            *texts(pages, key), reals(pages, value), integers(pages, time), integers(pages, step), truths(is_nan)
        )


def _cut(pieces: Iterator[MetricColumns], size: int) -> Iterator[MetricColumns]:
    """Columns of as many rows as `size`, the last ones of fewer."""
    held: list[MetricColumns] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece.codes)
        while count >= size:
            joined = _joined(held)
            yield _first_keys_first(joined.rows(0, size))
            held = [joined.rows(size, count)]
            count -= size
    if count:
        yield _first_keys_first(_joined(held))


def _joined(pieces: Sequence[MetricColumns]) -> MetricColumns:
    if len(pieces) == 1:
        return pieces[0]
    known: dict[bytes, int] = {}
    codes = [
        np.array([known.setdefault(key, len(known)) for key in piece.keys], np.int64)[piece.codes] for piece in pieces
    ]
    return MetricColumns(
        list(known),
        np.concatenate(codes),
        np.concatenate([piece.values for piece in pieces]),
        np.concatenate([piece.times for piece in pieces]),
        np.concatenate([piece.steps for piece in pieces]),
        np.concatenate([piece.are_nan for piece in pieces]),
    )


def _first_keys_first(columns: MetricColumns) -> MetricColumns:
    """Columns whose keys are those that the rows have, in the order in which they come first."""
    count = len(columns.codes)
    firsts = np.full(len(columns.keys), count)
    firsts[columns.codes[::-1]] = np.arange(count)[::-1]
    order = np.argsort(firsts)[: np.count_nonzero(firsts < count)]
    ranks = np.zeros(len(firsts), np.int64)
    ranks[order] = np.arange(len(order))
    return replace(columns, keys=[columns.keys[place] for place in order.tolist()], codes=ranks[columns.codes])


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
