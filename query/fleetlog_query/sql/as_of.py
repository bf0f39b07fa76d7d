"""The fleet as it was at a position of the log: rows of the tables without what later events did to them.

See docs/decisions/0008-as-of.md. What has not changed since the position is read where it always is. For the rest:

    runs, tags    the last state before the position, of `run_history` and `tag_history`
    params        are written once, as datasets are: their own rows, if they are before the position
    files         the last of each path before the position, of `artifact_history` (files.py)
    metrics       of a series with points at the position or behind: its points before the position
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.warehouse.packed import HIGH_SQL, LOW_SQL, POINT_ORDER_SQL, value_of
from fleetlog_core.warehouse.schema import PLACE_BITS, KeyKind

from fleetlog_query.language.fields import KIND_NUMBERS
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import PointTables

_MOST = 1 << 43
STATE_COLUMNS = (
    "name", "user", "state", "start_time", "end_time", "parent_run_id", "deleted",
    "source_run_id", "source_step", "root_run_id", "branch", "superseded_by",
)  # fmt: skip
POINTS_BOUND = f"max_rows_to_read = {limits.FILTER_POINTS}, use_index_for_in_with_subqueries_max_values = 0"
"""However many the series are: they are looked up, in a table that is far larger."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """A position: the next offset of each partition of events; and of the control partition, None = as it is now.

    The partition of a run is the CRC-32 of its id modulo their number, as the log has it.
    """

    events: tuple[int, ...]
    control: int | None = None

    def bound(self, binds: Binds, places: int = 0) -> str:
        """The next offset of the partition of a row with a run_id; shifted by so many places."""
        bounds = binds.offsets([min(offset, _MOST) << places for offset in self.events])
        return f"{bounds}[1]" if len(self.events) == 1 else f"{bounds}[CRC32(run_id) % {len(self.events)} + 1]"


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that keys of runs are in, and what tells since when a series has not changed."""

    attrs: str
    series: str


BY_KEY = Tables("attrs", "series")
BY_RUN = Tables("run_attrs", "run_series")


def runs_source(where: str, as_of: AsOf | None, binds: Binds) -> str:
    """`runs`, a row each: what FROM takes. `where`: a condition on namespace, experiment and run_id that is enough."""
    if as_of is None:
        return "runs FINAL"
    bound = as_of.bound(binds)
    states = ", ".join(f"argMax({name}, ver) AS {name}" for name in STATE_COLUMNS)
    names = ", ".join(STATE_COLUMNS)
    return (
        f"(SELECT namespace, experiment, run_id, {names} FROM runs FINAL WHERE {where} AND ver < {bound}"
        f" UNION ALL SELECT namespace, experiment, run_id, {states} FROM run_history WHERE {where} AND ver < {bound}"
        f" AND run_id IN (SELECT run_id FROM runs WHERE {where} AND ver >= {bound})"
        " GROUP BY namespace, experiment, run_id)"
    )


def keys_of(kinds: Mapping[str, frozenset[str] | None], binds: Binds) -> dict[str, str]:
    """Keys by kind, None = all, as conditions on `key`."""
    return {
        kind: "1" if keys is None else f"key IN {binds.texts(sorted(keys))}"
        for kind, keys in kinds.items()
        if kind in KIND_NUMBERS
    }


def attr_rows(
    tables: Tables, where: str, branches: PointTables, keys: Mapping[str, str], as_of: AsOf, binds: Binds
) -> str:
    """`SELECT run_id, kind, key, num, str, type, ver` as of the position, a row each; ver tells of metrics only.

    `where`: a condition on rows of both tables; `keys`: a condition on `key` for each kind that is wanted.
    """
    ours, arms = f"namespace = {binds.text(branches.namespace)}", []
    written = {kind: wanted for kind, wanted in keys.items() if kind != "metrics"}
    if written:
        # One read for all of them: each arm of a UNION is analysed by itself.
        bound = as_of.bound(binds, PLACE_BITS)
        named = " OR ".join(f"(kind = {KIND_NUMBERS[kind]} AND {wanted})" for kind, wanted in written.items())
        arms.append(
            f"SELECT run_id, kind, key, num, str, type, ver FROM {tables.attrs} FINAL"
            f" WHERE {where} AND ({named}) AND removed = 0 AND toUInt64(ver) < {bound}"
        )
    if "tags" in keys:
        arms.append(_tag_arm(tables, where, ours, keys["tags"], as_of, binds))
    if "metrics" in keys:
        arms += _metric_arms(tables, where, branches, keys["metrics"], as_of, binds)
    return " UNION ALL ".join(arms)


def _tag_arm(tables: Tables, where: str, ours: str, wanted: str, as_of: AsOf, binds: Binds) -> str:
    """Tags that were set or taken away since."""
    bound = as_of.bound(binds, PLACE_BITS)
    rows = f"{where} AND kind = {KeyKind.TAG} AND {wanted}"
    changed = f"SELECT run_id, key FROM {tables.attrs} WHERE {rows} AND toUInt64(ver) >= {bound}"
    last = (
        "SELECT run_id, key, argMax(num, ver) AS n, argMax(str, ver) AS s FROM tag_history"
        f" WHERE {ours} AND {wanted} AND (run_id, key) IN ({changed}) AND ver < {bound}"
        " GROUP BY run_id, key HAVING argMax(removed, ver) = 0"
    )
    return (
        f"SELECT run_id, toUInt8({KeyKind.TAG}) AS kind, key, n AS num, s AS str, toUInt8(0) AS type,"
        f" toUInt256(0) AS ver FROM ({last})"
    )


def _metric_arms(
    tables: Tables, where: str, branches: PointTables, wanted: str, as_of: AsOf, binds: Binds
) -> list[str]:
    changed = changed_series(tables, f"{where} AND {wanted}", as_of, binds)
    last = (
        f"SELECT run_id, key, max({POINT_ORDER_SQL}) AS p"
        f" FROM {branches.points(runs_of(changed), wanted, binds)}"
        f" WHERE namespace = {binds.text(branches.namespace)} AND {wanted} AND {points_before(changed, as_of, binds)}"
        " GROUP BY run_id, key"
        f" SETTINGS {POINTS_BOUND}"
    )
    return [
        f"SELECT run_id, kind, key, num, str, type, ver FROM {tables.attrs} FINAL"
        f" WHERE {where} AND kind = {KeyKind.METRIC} AND {wanted} AND (run_id, key) NOT IN ({changed})",
        f"SELECT run_id, toUInt8({KeyKind.METRIC}) AS kind, key, {value_of('p')} AS num, '' AS str, toUInt8(0) AS type,"
        f" p AS ver FROM ({last})",
    ]


def changed_series(tables: Tables, where: str, as_of: AsOf, binds: Binds) -> str:
    """The series (run_id, key) with points at the position or behind it."""
    return f"SELECT run_id, key FROM {tables.series} WHERE {where} AND until > {as_of.bound(binds)}"


def points_before(changed: str, as_of: AsOf, binds: Binds) -> str:
    """A condition on `points` beside their namespace: of these series, before the position."""
    return f"{runs_of(changed)} AND (run_id, key) IN ({changed}) AND off < {as_of.bound(binds)}"


def runs_of(changed: str) -> str:
    """A condition on run_id: of one of these series."""
    return f"run_id IN (SELECT run_id FROM ({changed}))"


def summary_source(where: str, branches: PointTables, as_of: AsOf | None, binds: Binds) -> str:
    """`run_series` as summaries read it: what FROM takes. `where`: a condition on namespace and run_id."""
    if as_of is None:
        return "run_series"
    changed = changed_series(BY_RUN, where, as_of, binds)
    number = "NOT isNaN(value)"
    points = (
        "SELECT namespace, run_id, key, min(if(isNaN(value), inf, value)) + 0. AS minv,"
        " max(if(isNaN(value), -inf, value)) + 0. AS maxv, count() AS n, countIf(isNaN(value)) AS nans,"
        f" sumIf(value, {number}) AS total, sumIf(value * value, {number}) AS squares,"
        f" min({POINT_ORDER_SQL}) AS first, minIf({LOW_SQL}, {number}) AS low, maxIf({HIGH_SQL}, {number}) AS high"
        f" FROM {branches.points(runs_of(changed), '1', binds)}"
        f" WHERE namespace = {binds.text(branches.namespace)} AND {points_before(changed, as_of, binds)}"
        f" GROUP BY namespace, run_id, key SETTINGS {POINTS_BOUND}"
    )
    names = "namespace, run_id, key, minv, maxv, n, nans, total, squares, first, low, high"
    return (
        f"(SELECT {names} FROM run_series WHERE {where} AND (run_id, key) NOT IN ({changed})"
        f" UNION ALL SELECT {names} FROM ({points}))"
    )


def too_early() -> FailedPrecondition:
    """AS_OF_TOO_EARLY."""
    return FailedPrecondition(
        "AS_OF_TOO_EARLY",
        "as_of: the tables were filled by a version that kept no past, and know it from when this one took over;"
        " rebuild them from the log (`fleetlog replay`), and they know all of it",
    )
