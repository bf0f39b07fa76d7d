"""Runs written straight into the tables, as the materializer writes them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Array, Coded, Column, Warehouse
from fleetlog_query.filter.evaluate import RunRow
from fleetlog_query.filter.fields import Kind

_tokens = itertools.count()


def coded(texts: Sequence[str]) -> Coded:
    """A LowCardinality column."""
    codes = np.arange(len(texts), dtype=np.uint32)
    return Coded(codes, texts)


def ids(values: Sequence[bytes]) -> Array:
    """A FixedString(16) column."""
    return np.frombuffer(b"".join(values), dtype="V16")


def insert_runs(
    warehouse: Warehouse, namespace: str, rows: Sequence[RunRow], *, deleted: Iterable[bytes] = (), version: int = 1
) -> None:
    """The rows of `runs` and `attrs`; params that are numbers are reals. The same runs again need a higher version."""
    if not rows:
        return
    hidden = set(deleted)
    count = len(rows)
    columns: dict[str, Column] = {
        "namespace": coded([namespace] * count),
        "experiment": np.array([row.experiment for row in rows], dtype=np.uint32),
        "run_id": ids([row.run_id for row in rows]),
        "name": [row.name for row in rows],
        "user": coded([row.user for row in rows]),
        "state": np.array([row.state for row in rows], dtype=np.uint8),
        "start_time": np.array([row.start_time for row in rows], dtype=np.int64),
        "end_time": np.array([row.end_time or 0 for row in rows], dtype=np.int64),
        "parent_run_id": ids([row.parent_run_id or bytes(16) for row in rows]),
        "deleted": np.array([row.run_id in hidden for row in rows], dtype=np.uint8),
        "started": np.ones(count, dtype=np.uint8),
        "ver": np.full(count, version, dtype=np.uint64),
    }
    warehouse.insert("runs", columns, f"runs:{next(_tokens)}")
    insert_attrs(warehouse, namespace, rows, version=version)


def insert_attrs(warehouse: Warehouse, namespace: str, rows: Sequence[RunRow], *, version: int = 1) -> None:
    """The rows of `attrs` alone."""
    values: list[tuple[RunRow, int, str, float, str, int]] = []
    for row in rows:
        for key, param in row.params.items():
            number, type_number = (math.nan, 2) if param.number is None else (param.number, 4)
            values.append((row, Kind.PARAM, key, number, param.text, type_number))
        values += [(row, Kind.TAG, key, math.nan, text, 0) for key, text in row.tags.items()]
        values += [(row, Kind.METRIC, key, number, "", 0) for key, number in row.metrics.items()]
    _insert_values(warehouse, namespace, values, 0, version)


def remove_tag(warehouse: Warehouse, namespace: str, row: RunRow, key: str, version: int) -> None:
    """The row that a deleted tag leaves behind."""
    _insert_values(warehouse, namespace, [(row, Kind.TAG, key, math.nan, "", 0)], 1, version)


def _insert_values(
    warehouse: Warehouse,
    namespace: str,
    values: Sequence[tuple[RunRow, int, str, float, str, int]],
    removed: int,
    version: int,
) -> None:
    if not values:
        return
    count = len(values)
    columns: dict[str, Column] = {
        "namespace": coded([namespace] * count),
        "experiment": np.array([value[0].experiment for value in values], dtype=np.uint32),
        "kind": np.array([value[1] for value in values], dtype=np.uint8),
        "key": coded([value[2] for value in values]),
        "run_id": ids([value[0].run_id for value in values]),
        "num": np.array([value[3] for value in values], dtype=np.float64),
        "str": [value[4] for value in values],
        "type": np.array([value[5] for value in values], dtype=np.uint8),
        "removed": np.full(count, removed, dtype=np.uint8),
        "ver": _versions(count, version),
    }
    warehouse.insert("attrs", columns, f"attrs:{next(_tokens)}")


def _versions(count: int, version: int) -> npt.NDArray[np.void]:
    return np.frombuffer(version.to_bytes(32, "little") * count, dtype="V32")
