"""Runs as columns: Arrow, pandas, polars. None of them is needed for anything else, so each is imported when used.

Columns: run_id, name, state, user, experiment_id, start_time, end_time, parent_run_id, deleted; then params.KEY,
metrics.KEY (the latest value) and tags.KEY, each by name. Null where a run has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from fleetlog._views.views import RunView

_ATTRIBUTES = (
    "run_id", "name", "state", "user", "experiment_id", "start_time", "end_time", "parent_run_id", "deleted",
)  # fmt: skip
_KINDS = ("params.", "metrics.", "tags.")


def batches_of(data: bytes) -> Iterator[pa.RecordBatch]:
    """The batches of an IPC stream, without a copy. ValueError, OSError and their kin for bytes that are none.

    Whatever reads their columns trusts offsets and lengths: these are checked here, for bytes came over a network.
    """
    pyarrow = _pyarrow()
    with pyarrow.ipc.open_stream(pyarrow.py_buffer(data)) as stream:
        for batch in stream:
            batch.validate(full=True)
            yield batch


def table_of_batches(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """One table: a column has the type that holds what all batches have of it."""
    pyarrow = _pyarrow()
    tables = [pyarrow.Table.from_batches([batch]) for batch in batches]
    types: dict[str, set[Any]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    if not tables:
        return _table({name: [] for name in _ATTRIBUTES})
    unified = {name: _common(pyarrow, found) for name, found in types.items() if len(found) > 1}
    tables = [_cast(table, unified) for table in tables]
    return pyarrow.concat_tables(tables, promote_options="default").select(sorted(types, key=_place))


def table_of_runs(runs: Sequence[RunView]) -> pa.Table:
    """Columns of runs that are at hand."""
    columns: dict[str, list[object]] = {name: [None] * len(runs) for name in _ATTRIBUTES}
    for place, run in enumerate(runs):
        for name, value in row_of(run).items():
            columns.setdefault(name, [None] * len(runs))[place] = value
    return _table(columns)


def row_of(run: RunView) -> dict[str, object]:
    """A run as a row."""
    return {
        "run_id": run.id, "name": run.name, "state": run.state, "user": run.user, "experiment_id": run.experiment_id,
        "start_time": run.start_time, "end_time": run.end_time, "parent_run_id": run.parent_id, "deleted": run.deleted,
        **{f"params.{key}": value for key, value in run.params.items()},
        **{f"metrics.{key}": value for key, value in run.metrics.items()},
        **{f"tags.{key}": value for key, value in run.tags.items()},
    }  # fmt: skip


def pandas_of(table: pa.Table) -> pd.DataFrame:
    """As pandas: the columns are let go one by one as they are converted."""
    return table.to_pandas(split_blocks=True, self_destruct=True)  # type: ignore[no-any-return]


def polars_of(table: pa.Table) -> pl.DataFrame:
    """As polars, mostly without a copy."""
    try:
        import polars
    except ImportError:
        raise ImportError("polars is not installed: pip install 'fleetlog[polars]'") from None
    return polars.DataFrame(table)


def has_pyarrow() -> bool:
    """Whether it is installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ImportError("pyarrow is not installed: pip install 'fleetlog[arrow]'") from None
    return pyarrow


def _table(columns: Mapping[str, list[object]]) -> pa.Table:
    pyarrow = _pyarrow()
    stamp = pyarrow.timestamp("ms", "UTC")
    types = {
        "experiment_id": pyarrow.uint32(), "start_time": stamp, "end_time": stamp, "deleted": pyarrow.bool_(),
    }  # fmt: skip
    arrays = {}
    for name in sorted(columns, key=_place):
        values = columns[name]
        if name.startswith("metrics."):
            arrays[name] = pyarrow.array(values, pyarrow.float64())
        elif name.startswith("params."):
            arrays[name] = _params(pyarrow, values)
        else:
            arrays[name] = pyarrow.array(values, types.get(name, pyarrow.string()))
    return pyarrow.table(arrays)


def _params(pyarrow: Any, values: list[object]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool} or kinds == {int}:
        return pyarrow.array(values)
    if kinds <= {int, float}:
        return pyarrow.array([None if value is None else float(str(value)) for value in values], pyarrow.float64())
    return pyarrow.array([None if value is None else _text(value) for value in values], pyarrow.string())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _common(pyarrow: Any, types: set[Any]) -> Any:
    numbers = types <= {pyarrow.int64(), pyarrow.float64()}
    return pyarrow.float64() if numbers else pyarrow.string()


def _cast(table: Any, types: Mapping[str, Any]) -> Any:
    for place, field in enumerate(table.schema):
        wanted = types.get(field.name)
        if wanted is not None and field.type != wanted:
            table = table.set_column(place, field.name, table.column(place).cast(wanted, safe=False))
    return table


def _place(name: str) -> tuple[int, str]:
    """Where a column stands."""
    if name in _ATTRIBUTES:
        return _ATTRIBUTES.index(name), ""
    kinds = [place for place, kind in enumerate(_KINDS) if name.startswith(kind)]
    return len(_ATTRIBUTES) + (kinds[0] if kinds else len(_KINDS)), name
