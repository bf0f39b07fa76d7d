"""Points of branches: their own, and those that they have of other runs (docs/decisions/0019-branches.md).

Points are not copied. Where a namespace has branches, what reads `points` and `rollup` by run reads these sources in
their place: the same columns, with the points of other runs as if the branch had logged them in the record that made
it. All else that is known of a branch (`series`, `attrs`) is in its own rows, and is read as that of any run.

A source's points may be on another shard than the branch: so what is looked up of segments is sent along (GLOBAL).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import BUCKET_BITS

from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.versioned_cache import VersionedCache

_POINT = "namespace, run_id, key, step, ts, value, rank, part, off"


@dataclass(frozen=True, slots=True)
class PointTables:
    """Tables of points of runs of a namespace, for FROM. `branched`: some of them may be branches.

    `runs` and `keys` below are conditions on run_id and key that bound what is read of other runs; the reader has its
    own beside them.
    """

    namespace: str
    branched: bool = False

    def points(self, runs: str, keys: str, binds: Binds) -> str:
        """Rows of `points`; when branched, `source_off` tells the order of points that came with one record."""
        if not self.branched:
            return "points"
        ours = f"namespace = {binds.text(self.namespace)} AND {runs} AND {keys}"
        own = f"SELECT {_POINT}, off AS source_off FROM points WHERE {ours}"
        return f"({own} UNION ALL {self._inherited(runs, keys, binds)})"

    def rollup(self, runs: str, keys: str, binds: Binds) -> str:
        """Rows of `rollup`."""
        if not self.branched:
            return "rollup"
        ours = f"namespace = {binds.text(self.namespace)} AND {runs} AND {keys}"
        return (
            f"(SELECT namespace, run_id, key, b, n, nans, total, minv, maxv FROM rollup WHERE {ours} UNION ALL"
            f" SELECT namespace, run_id, key, bitShiftRight(step, {BUCKET_BITS}) AS b, count() AS n,"
            " toUInt64(countIf(isNaN(value))) AS nans, sumIf(value, NOT isNaN(value)) AS total,"
            " min(if(isNaN(value), inf, value)) + 0. AS minv, max(if(isNaN(value), -inf, value)) + 0. AS maxv"
            f" FROM ({self._inherited(runs, keys, binds)}) GROUP BY namespace, run_id, key, b)"
        )

    @property
    def log_order(self) -> str:
        """Columns by which points of one step and time are in the order of the log."""
        return "part, off, source_off" if self.branched else "part, off"

    def _inherited(self, runs: str, keys: str, binds: Binds) -> str:
        ours = f"namespace = {binds.text(self.namespace)}"
        segments = f"FROM branch_segments FINAL WHERE {ours} AND {runs}"
        points = (
            "SELECT namespace, run_id AS source_run_id, key, step, ts, value, rank, off AS source_off FROM points"
            f" WHERE {ours} AND {keys} AND run_id GLOBAL IN (SELECT source_run_id {segments})"
        )
        made = f"SELECT run_id AS branch_run_id, source_run_id, max_step, next_offset, part, off {segments}"
        return (
            "SELECT namespace, branch_run_id AS run_id, key, step, ts, value, rank, part, off, source_off"
            f" FROM ({points}) AS p GLOBAL INNER JOIN ({made}) AS s USING (source_run_id)"
            " WHERE step <= max_step AND source_off < next_offset"
        )


Branches = Callable[[str], PointTables]
"""The tables of points of a namespace as it is now; PointTables itself where nothing is branched."""


class BranchedNamespaces:
    """Tells which namespaces have branches. Thread-safe."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: VersionedCache[str, bool] = VersionedCache(warehouse, "branch_segments")

    def tables(self, namespace: str) -> PointTables:
        """The tables of points of the namespace."""

        def read() -> bool:
            binds = Binds()
            some = f"SELECT 1 FROM branch_segments WHERE namespace = {binds.text(namespace)} LIMIT 1"
            answer = self._warehouse.select(Statement(f"SELECT count() AS n FROM ({some})", binds.values))
            return int(answer.array("n")[0]) > 0

        return PointTables(namespace, self._known.get(namespace, read))
