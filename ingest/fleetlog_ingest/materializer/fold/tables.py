"""Tables of the warehouse as the fold fills them: the order in which they are inserted, and their rows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Coded, Column

from fleetlog_ingest.materializer.fold.table_schemas import SCHEMAS

Columns = dict[str, Column]
Row = tuple[Any, ...]

ROWS_PER_INSERT = 1_000_000

FIRST = ("run_touches",)
"""Before both lanes: what of the batch can be read is of runs that are here."""
LANES = (
    (
        "run_homes", "branch_segments", "series", "attrs", "rollup", "pending_artifacts", "artifacts",
        "artifact_deletions", "problems",
    ),
    (
        "points", "run_series", "run_attrs", "tag_history", "run_history", "artifact_history", "run_skews",
        "model_attrs", "model_metrics",
    ),
)  # fmt: skip
"""A batch's tables are inserted in two lanes, side by side: each takes one core. Within a lane in this order: what
tells since when a series has not changed (`series`, `run_series`) is there before its latest value. An artifact that
was pending is known to be before others show: when the batch is done again, it may be none of either."""
LAST = ("runs", "logged_models", "writers")
"""After both lanes. A batch that broke off is folded again from the state before it, so what that state is read from
comes last: a `runs` or `logged_models` row of the batch says that everything above is in, a `writers` row that all
is."""
OF_THE_STORE = ("pending_artifacts", "artifacts", "artifact_history", "problems")
"""Tables of which a batch that is done again may have other rows: the object store may have answered otherwise."""
EVENT_TABLES = (*FIRST, *LANES[0], *LANES[1], *LAST)


def columns_of(table: str, rows: Sequence[Row]) -> Columns:
    """Rows (at least one) as the table's columns."""
    schema = SCHEMAS[table]
    values = zip(*rows, strict=True)
    return {name: make(column) for (name, make), column in zip(schema.items(), values, strict=True)}


def stack(first: Columns, second: Columns) -> Columns:
    """The rows of both. They have the same columns."""
    return {name: _join(column, second[name]) for name, column in first.items()}


def _join(first: Column, second: Column) -> Column:
    if isinstance(first, Coded) and isinstance(second, Coded):
        shifted = second.codes + np.uint32(len(first.texts))
        return Coded(np.concatenate((first.codes, shifted)), [*first.texts, *second.texts])
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate((first, second))
    texts: list[Any] = []
    texts.extend(_texts(first))
    texts.extend(_texts(second))
    return texts


def _texts(column: Column) -> Sequence[Any]:
    if isinstance(column, (Coded, np.ndarray)):
        raise TypeError("columns of different kinds")
    return column


def take(columns: Columns, places: npt.NDArray[np.int64]) -> Columns:
    """Some rows, in the order of `places`."""
    return {name: _take(column, places) for name, column in columns.items()}


def _take(column: Column, places: npt.NDArray[np.int64]) -> Column:
    if isinstance(column, Coded):
        return Coded(column.codes[places], column.texts)
    return column[places] if isinstance(column, np.ndarray) else [column[place] for place in places.tolist()]


def rows_in(columns: Columns) -> int:
    """How many rows the columns hold."""
    column = next(iter(columns.values()))
    return len(column.codes) if isinstance(column, Coded) else len(column)


def piece(columns: Columns, first: int, last: int) -> Columns:
    """Rows first to last, without the last."""
    return {
        name: Coded(column.codes[first:last], column.texts) if isinstance(column, Coded) else column[first:last]
        for name, column in columns.items()
    }
