"""Files that runs and logged models have, as rows: now, or as of a position."""

from __future__ import annotations

from collections.abc import Callable

from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_core.warehouse.schema import PLACE_BITS

from fleetlog_query.sql.as_of import AsOf, too_early
from fleetlog_query.sql.binds import Binds

_COLUMNS = "run_id, path, size_bytes, sha256, ingest_time, ver"


def below(path: str, binds: Binds) -> str:
    """Condition on paths that are `path` or below it; "" = all."""
    return f"(path = {binds.text(path)} OR startsWith(path, {binds.text(path + '/')}))" if path else "1"


def file_rows(owners: str, paths: str, as_of: AsOf | None, binds: Binds) -> str:
    """Rows, one for each path of a run or model: FROM and WHERE, for other conditions to follow.

    `owners`: condition on namespace and run_id; `paths`: condition on the path.
    """
    if as_of is None:
        files = f"SELECT {_COLUMNS} FROM artifacts FINAL WHERE {owners} AND {paths}"
        deletions = f"artifact_deletions FINAL WHERE {owners}"
    else:
        before = f"{owners} AND ver < {as_of.bound(binds, PLACE_BITS)}"
        files = (
            f"SELECT {_COLUMNS} FROM artifact_history WHERE {before} AND deleted = 0 AND {paths}"
            " ORDER BY run_id, path, ver DESC LIMIT 1 BY run_id, path"
        )
        deletions = f"artifact_history WHERE {before} AND deleted = 1"
    # A file is gone when it, or a folder that it is in, was deleted after it was logged.
    return (
        f"FROM ({files}) AS files LEFT JOIN"
        f" (SELECT run_id, groupArray((path, ver)) AS gone FROM {deletions} GROUP BY run_id) AS deletions USING run_id"
        " WHERE NOT arrayExists(d -> ver < d.2"
        " AND (d.1 = '' OR d.1 = path OR startsWith(path, concat(d.1, '/'))), gone)"
    )


def check_reach(owners: Callable[[Binds], str], as_of: AsOf, select: Callable[[Statement], Answer]) -> None:
    """AS_OF_TOO_EARLY where what a path held then may have been forgotten before its past was kept."""
    binds = Binds()
    rows = f"{owners(binds)} AND copied = 1 AND ver >= {as_of.bound(binds, PLACE_BITS)}"
    if int(select(binds.statement(f"SELECT count() AS n FROM artifact_history WHERE {rows}")).array("n")[0]):
        raise too_early()
