"""Rows of many series in one answer, and what is known of series beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer, Array, Statement

from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import PointTables
from fleetlog_query.warehouse.rows import rows_of

Select = Callable[[Statement], Answer]
_SIGN = 1 << 63
_STEP = "reinterpretAsInt64(bitXor(toUInt64(bitAnd(bitShiftRight({}, 128), 18446744073709551615)), {}))"


@dataclass(frozen=True, slots=True)
class Extent:
    """Count of a series' points, and its lowest and highest step."""

    points: int
    low: int
    high: int

    def share(self, first: int, last: int) -> float:
        """Share of it between two steps, both included, if its points are evenly spread: 0 to 1."""
        inside = min(self.high, last) - max(self.low, first) + 1
        return max(inside, 0) / (self.high - self.low + 1)


def scope_sql(namespace: str, run_ids: Sequence[bytes], keys: Sequence[str], binds: Binds) -> str:
    """The condition on rows of these series, in every table by run."""
    runs, names = runs_sql(run_ids, binds), keys_sql(keys, binds)
    return f"namespace = {binds.text(namespace)} AND {runs} AND {names}"


def runs_sql(run_ids: Sequence[bytes], binds: Binds) -> str:
    """The condition on run_id."""
    return f"run_id = {binds.run_id(run_ids[0])}" if len(run_ids) == 1 else f"run_id IN {binds.run_ids(run_ids)}"


def keys_sql(keys: Sequence[str], binds: Binds) -> str:
    """The condition on key."""
    return f"key = {binds.text(keys[0])}" if len(keys) == 1 else f"key IN {binds.texts(keys)}"


def points_of(tables: PointTables, run_ids: Sequence[bytes], keys: Sequence[str], binds: Binds) -> str:
    """The points of these series, and maybe of others: what FROM takes."""
    return tables.points(runs_sql(run_ids, binds), keys_sql(keys, binds), binds) if tables.branched else "points"


def rollup_of(tables: PointTables, run_ids: Sequence[bytes], keys: Sequence[str], binds: Binds) -> str:
    """Rows of `rollup` of these series, and maybe of others: what FROM takes."""
    return tables.rollup(runs_sql(run_ids, binds), keys_sql(keys, binds), binds) if tables.branched else "rollup"


def place_sql(keys: Sequence[str], binds: Binds) -> str:
    """The place of a row's key among the keys, from 1: a number is grouped by in half the time of a text."""
    return "toUInt8(1)" if len(keys) == 1 else f"indexOf({binds.texts(keys)}, key)"


def slices(answer: Answer, keys: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[bytes, str, slice]]:
    """Each series' rows. The answer has run_id and `named`, a place among the keys; the rows of a series are together.

    A series also ends where one of the `columns` changes.
    """
    if answer.rows == 0:
        return
    run_ids, places = answer.array("run_id"), answer.array("named")
    new = changes(run_ids) | (places[1:] != places[:-1])
    for column in columns:
        values = answer.array(column)
        new |= values[1:] != values[:-1]
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), answer.rows]
    for first, last in itertools.pairwise(edges):
        yield run_ids[first].tobytes(), keys[int(places[first]) - 1], slice(first, last)


def changes(run_ids: Array) -> npt.NDArray[np.bool_]:
    """True for each run id but the first that is another than the one before it."""
    words = run_ids.view("<u8").reshape(-1, 2)
    highs, lows = words[:, 0], words[:, 1]
    found: npt.NDArray[np.bool_] = (lows[1:] != lows[:-1]) | (highs[1:] != highs[:-1])
    return found


def extents(
    select: Select, namespace: str, run_ids: Sequence[bytes], keys: Sequence[str]
) -> dict[tuple[bytes, str], Extent]:
    """Extents of the series, without a look at points; series without any are left out."""
    binds = Binds()
    # first and last hold the step, its order as unsigned, above 128 bits of time and value.
    sql = (
        f"SELECT run_id, {place_sql(keys, binds)} AS named, sum(n) AS points,"
        f" {_STEP.format('min(first)', _SIGN)} AS low, {_STEP.format('max(last)', _SIGN)} AS high FROM run_series"
        f" WHERE {scope_sql(namespace, run_ids, keys, binds)} GROUP BY run_id, key HAVING points > 0"
    )
    answer = select(Statement(sql, binds.values))
    rows = rows_of(answer, "run_id", "named", "points", "low", "high")
    return {(run_id, keys[place - 1]): Extent(*extent) for run_id, place, *extent in rows}


def run_starts(select: Select, namespace: str, run_ids: Sequence[bytes]) -> dict[bytes, int]:
    """When runs started, Unix milliseconds; those that are not there are left out."""
    binds = Binds()
    of_namespace, ids = f"namespace = {binds.text(namespace)}", f"run_id IN {binds.run_ids(run_ids)}"
    sql = (
        f"SELECT run_id, toUnixTimestamp64Milli(start_time) AS started FROM runs FINAL WHERE {of_namespace}"
        f" AND experiment IN (SELECT experiment FROM run_homes WHERE {of_namespace} AND {ids}) AND {ids}"
    )
    answer = select(Statement(sql, binds.values))
    return dict(rows_of(answer, "run_id", "started"))
