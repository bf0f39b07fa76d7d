"""Points of branches, as every engine finds them, against Python lists."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Coded, Statement, Warehouse
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import BranchedNamespaces, PointTables

from tests.core.warehouse.engines import chdb, clickhouse

SOURCE, FORK, DEEP, ALONE = (bytes([place]) * 16 for place in range(1, 5))
STEPS = (-(2**63), -129, -128, -1, 0, 127, 128, 2**62)
NAMESPACE = "default"


def coded(texts: list[str]) -> Coded:
    known = sorted(set(texts))
    return Coded(np.array([known.index(text) for text in texts], np.uint32), known)


def ids(run_ids: list[bytes]) -> npt.NDArray[np.void]:
    return np.frombuffer(b"".join(run_ids), "V16")


def log_points(warehouse: Warehouse) -> dict[bytes, list[tuple[int, float, int]]]:
    """(step, value, offset) by run: each run logs at every step twice, the first time before offset 10."""
    found = {
        run_id: [(step, float(place + 10 * number), off) for off in (5, 15) for place, step in enumerate(STEPS)]
        for number, run_id in enumerate((SOURCE, FORK, DEEP, ALONE))
    }
    found[SOURCE][0] = (STEPS[0], math.nan, 5)
    rows = [(run_id, *point) for run_id, points in found.items() for point in points]
    count = len(rows)
    warehouse.insert(
        "points",
        {
            "namespace": coded([NAMESPACE] * count),
            "run_id": ids([row[0] for row in rows]),
            "key": coded(["loss"] * count),
            "step": np.array([row[1] for row in rows], np.int64),
            "ts": np.array([1_700_000_000_000] * count, np.int64),
            "value": np.array([row[2] for row in rows]),
            "rank": np.full(count, -1, np.int32),
            "part": np.zeros(count, np.uint16),
            "off": np.array([row[3] for row in rows], np.int64),
        },
        "points",
    )
    return found


def branch(warehouse: Warehouse) -> None:
    """FORK has SOURCE up to step 0, of before offset 10; DEEP has FORK up to 127, and what that has up to -1."""
    rows = [(FORK, SOURCE, 0, 10, 20), (DEEP, FORK, 127, 30, 40), (DEEP, SOURCE, -1, 10, 40)]
    warehouse.insert(
        "branch_segments",
        {
            "namespace": coded([NAMESPACE] * len(rows)),
            "run_id": ids([row[0] for row in rows]),
            "source_run_id": ids([row[1] for row in rows]),
            "max_step": np.array([row[2] for row in rows], np.int64),
            "next_offset": np.array([row[3] for row in rows], np.int64),
            "part": np.ones(len(rows), np.uint16),
            "off": np.array([row[4] for row in rows], np.int64),
        },
        "segments",
    )


def compare(warehouse: Warehouse) -> None:
    migrate(warehouse)
    logged = log_points(warehouse)
    namespaces = BranchedNamespaces(warehouse)
    assert not namespaces.tables(NAMESPACE).branched
    branch(warehouse)
    tables = namespaces.tables(NAMESPACE)
    assert tables.branched, "it is known at once"
    assert not namespaces.tables("other").branched
    of_source = [(step, value, 20) for step, value, off in logged[SOURCE] if step <= 0 and off < 10]
    of_fork = [(step, value, 40) for step, value, _ in logged[FORK] if step <= 127]
    deeper = [(step, value, 40) for step, value, off in logged[SOURCE] if step <= -1 and off < 10]
    expected = {
        SOURCE: logged[SOURCE], FORK: logged[FORK] + of_source, DEEP: logged[DEEP] + of_fork + deeper,
        ALONE: logged[ALONE],
    }  # fmt: skip
    for asked in ([SOURCE], [FORK], [DEEP], [FORK, ALONE, DEEP]):
        for run_id, points in read(warehouse, tables, asked).items():
            assert sorted(map(repr, points)) == sorted(map(repr, expected[run_id]))
        for run_id, buckets in rolled_up(warehouse, tables, asked).items():
            assert buckets == in_buckets(expected[run_id])


def read(
    warehouse: Warehouse, tables: PointTables, run_ids: list[bytes]
) -> dict[bytes, list[tuple[int, float, int]]]:  # fmt: skip
    binds = Binds()
    runs = f"run_id IN {binds.run_ids(run_ids)}"
    source = tables.points(runs, "key = 'loss'", binds)
    sql = f"SELECT run_id, step, value, off FROM {source} WHERE {runs} ORDER BY run_id, step, {tables.log_order}"
    answer = warehouse.select(Statement(sql, binds.values))
    found: dict[bytes, list[tuple[int, float, int]]] = {run_id: [] for run_id in run_ids}
    columns = (answer.array(name).tolist() for name in ("step", "value", "off"))
    for run_id, step, value, off in zip(answer.array("run_id"), *columns, strict=True):
        found[run_id.tobytes()].append((step, value, off))
    return found


def rolled_up(
    warehouse: Warehouse, tables: PointTables, run_ids: list[bytes]
) -> dict[bytes, dict[int, tuple[int, int, float]]]:
    """Points, NaN among them and the highest, by bucket of what is inherited: nothing is in `rollup` here."""
    binds = Binds()
    runs = f"run_id IN {binds.run_ids(run_ids)}"
    source = tables.rollup(runs, "key = 'loss'", binds)
    answer = warehouse.select(Statement(f"SELECT run_id, b, n, nans, maxv FROM {source} WHERE {runs}", binds.values))
    found: dict[bytes, dict[int, tuple[int, int, float]]] = {run_id: {} for run_id in run_ids}
    if answer.rows:
        columns = (answer.array(name).tolist() for name in ("b", "n", "nans", "maxv"))
        for run_id, bucket, count, nans, highest in zip(answer.array("run_id"), *columns, strict=True):
            found[run_id.tobytes()][bucket] = (count, nans, highest)
    return found


def in_buckets(points: list[tuple[int, float, int]]) -> dict[int, tuple[int, int, float]]:
    inherited = [point for point in points if point[2] in (20, 40)]
    found: dict[int, tuple[int, int, float]] = {}
    for step, value, _ in inherited:
        count, nans, highest = found.get(step // 128, (0, 0, -math.inf))
        is_nan = math.isnan(value)
        found[step // 128] = (count + 1, nans + is_nan, highest if is_nan else max(highest, value))
    return found


def test_a_branch_has_points_of_the_runs_that_it_goes_on_from(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        compare(warehouse)


def test_on_a_server_too(clickhouse_server: str) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        compare(warehouse)
