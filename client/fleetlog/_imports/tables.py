"""What users pass as a table: a dict of columns, or a pandas, polars or Arrow table. None of these is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = Any
"""A mapping of column names to sequences of one length, a pandas or polars DataFrame, or a pyarrow Table."""


def columns_of(table: Table) -> dict[str, Sequence[Any]]:
    """Its columns by name: lists, or numpy arrays of numbers and times, with None where there is no value.

    In pandas' columns of floats NaN is no value, as pandas has it. ValueError when columns have several lengths.
    """
    if isinstance(table, Mapping):
        columns = {str(name): _listed(values) for name, values in table.items()}
    elif hasattr(table, "column_names"):
        columns = {name: _of_arrow(table.column(name)) for name in table.column_names}
    elif hasattr(table, "columns") and hasattr(table, "iloc"):
        columns = {str(name): _of_pandas(table[name]) for name in table.columns}
    elif hasattr(table, "get_columns"):
        columns = {series.name: series.to_list() for series in table.get_columns()}
    else:
        raise ValueError(f"{type(table).__name__} is no table: give a dict of columns, a DataFrame or an Arrow table")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns have different lengths: {lengths}")
    return columns


def _listed(values: Any) -> Sequence[Any]:
    if hasattr(values, "iloc") and hasattr(values, "notna"):
        return _of_pandas(values)
    if hasattr(values, "to_list"):
        return list(values.to_list())  # polars
    if hasattr(values, "to_pylist"):
        return list(values.to_pylist())  # Arrow
    return values if isinstance(values, Sequence) or hasattr(values, "dtype") else list(values)


def _of_arrow(column: Any) -> Sequence[Any]:
    kind = str(column.type)
    if column.null_count == 0 and kind in ("double", "int64"):
        found: Sequence[Any] = column.to_numpy()
        return found
    listed: list[Any] = column.to_pylist()
    return listed


def _of_pandas(series: Any) -> Sequence[Any]:
    there = series.notna()
    if there.all():
        found: Sequence[Any] = series.to_numpy()
        return found
    return [value if is_there else None for value, is_there in zip(series.tolist(), there.tolist(), strict=True)]
