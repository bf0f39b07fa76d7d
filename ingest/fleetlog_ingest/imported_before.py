"""What a table has of the runs of an import. Mostly nothing: then one look at the range of their ids says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetlog_core.warehouse.port import Answer, Bind, Statement, Warehouse

from fleetlog_ingest.run_ids import AMONG_IDS, pieces

ROWS_BETWEEN = 2_000
"""Maximum rows of a range of ids that are read, the import's or not; beyond it the runs are asked for one by one."""
_BETWEEN = (
    "run_id BETWEEN toFixedString(unhex({low:String}), 16) AND toFixedString(unhex({high:String}), 16)"
    f" LIMIT {ROWS_BETWEEN + 1}"
)


def rows_of_runs(
    warehouse: Warehouse, table: str, columns: Sequence[str], namespace: str, ids: Sequence[bytes]
) -> Iterator[Answer]:
    """Rows of `table` of the runs (16 bytes each, at least one), and maybe of others; each row once.

    The table begins its order with (namespace, run_id). Ids of runs begin with their time, and runs that are imported
    together come one after another: a range of ids in which no run is has none of the import.
    """
    sql = f"SELECT {', '.join(columns)} FROM {table} WHERE namespace = {{namespace:String}} AND "
    binds: dict[str, Bind] = {"namespace": namespace}
    rows = warehouse.select(Statement(sql + _BETWEEN, {**binds, "low": min(ids).hex(), "high": max(ids).hex()}))
    if rows.rows <= ROWS_BETWEEN:
        yield rows
        return
    for piece in pieces(ids):
        yield warehouse.select(Statement(f"{sql}run_id {AMONG_IDS}", {**binds, "ids": piece}))
