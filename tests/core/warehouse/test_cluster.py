"""What a cluster is told, read by the engine itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fleetlog_core.warehouse import cluster
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.cluster import DEDUPLICATION_SECONDS, rendered
from fleetlog_core.warehouse.migrate import migrations, statements
from fleetlog_core.warehouse.port import Statement, Warehouse, WarehouseRefused, WarehouseUnavailable

from tests.core.warehouse.engines import chdb, clickhouse

ALL = [sql for text in migrations().values() for sql in statements(text)]
TABLES = [sql for sql in ALL if sql.startswith("CREATE TABLE")]
RENDERED = [rendering for sql in ALL for rendering in rendered(sql, "main", "fleetlog")]


@pytest.fixture(scope="module", params=["chdb", "clickhouse"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    if request.param == "chdb":
        with chdb(tmp_path_factory.mktemp("chdb"), migrated=False) as warehouse:
            yield warehouse
    else:
        with clickhouse(request.getfixturevalue("clickhouse_server")) as warehouse:
            yield warehouse


def test_the_engine_can_read_every_statement(warehouse: Warehouse) -> None:
    for sql in RENDERED:
        # As it understood it: written by the engine, and read once more.
        answer = warehouse.select(Statement("SELECT formatQuerySingleLine({sql:String}) AS sql", {"sql": sql}))
        # What is only inserted goes through the tables over all shards.
        assert "ON CLUSTER main" in answer.texts("sql")[0] or sql.startswith("INSERT INTO ")
        assert warehouse.select(Statement(f"EXPLAIN AST {sql}")).rows > 2


def test_a_table_is_replicated_and_sharded_and_remembers_tokens() -> None:
    for sql in TABLES:
        name = sql.split()[5]
        local, over = rendered(sql, "main", "fleetlog")
        assert local.startswith(f"CREATE TABLE IF NOT EXISTS fleetlog.{name}_local ON CLUSTER 'main' (")
        assert re.search(r"ENGINE = Replicated\w*MergeTree\b", local)
        assert "non_replicated" not in local
        assert "replicated_deduplication_window = 10000" in local
        assert f"replicated_deduplication_window_seconds = {DEDUPLICATION_SECONDS}" in local
        assert over.startswith(f"CREATE TABLE IF NOT EXISTS fleetlog.{name} ON CLUSTER 'main' AS")
        # What is about a run is on the run's shard: statements look it up there alone.
        assert over.endswith("cityHash64(run_id))") == bool(re.search(r"^ORDER BY .*\brun_id\b", sql, re.MULTILINE))


def test_all_but_engine_and_settings_is_as_on_one_server(warehouse: Warehouse) -> None:
    for sql in TABLES:
        local = rendered(sql, "main", "fleetlog")[0]
        back = local.replace("_local ON CLUSTER 'main'", "").replace("fleetlog.", "").replace("= Replicated", "= ")
        back = back.replace(f", replicated_deduplication_window_seconds = {DEDUPLICATION_SECONDS}", "")
        back = back.replace("replicated_deduplication", "non_replicated_deduplication")
        two = [f"formatQuerySingleLine({{{name}:String}}) AS {name}" for name in ("one", "other")]
        answer = warehouse.select(Statement(f"SELECT {', '.join(two)}", {"one": back, "other": sql}))
        assert answer.texts("one") == answer.texts("other")


def test_a_column_is_added_on_every_server() -> None:
    added = [sql for sql in RENDERED if "ADD COLUMN" in sql and "run_series" in sql]
    assert [sql.split(" ADD")[0] for sql in added] == [
        "ALTER TABLE fleetlog.run_series_local ON CLUSTER 'main'", "ALTER TABLE fleetlog.run_series ON CLUSTER 'main'",
    ]  # fmt: skip


def test_a_setting_is_one_of_the_tables_that_hold_rows() -> None:
    changed = [sql for sql in RENDERED if "MODIFY SETTING" in sql]
    assert [sql.split(" MODIFY")[0] for sql in changed] == [
        f"ALTER TABLE fleetlog.{table}_local ON CLUSTER 'main'" for table in ("runs", "attrs", "run_attrs")
    ]


def test_an_index_is_one_of_the_tables_that_hold_rows() -> None:
    changed = [sql for sql in RENDERED if " INDEX " in sql and sql.startswith("ALTER")]
    changes = [(table, what) for table in ("attrs", "series", "series") for what in ("ADD", "MATERIALIZE")]
    changes += [("log_times", "ADD")] * 2
    assert [sql.split(" INDEX")[0] for sql in changed] == [
        f"ALTER TABLE fleetlog.{table}_local ON CLUSTER 'main' {what}" for table, what in changes
    ]


def test_an_order_is_one_of_the_tables_that_hold_rows_and_its_column_of_all() -> None:
    changed = [sql for sql in RENDERED if " COLUMN IF NOT EXISTS place " in sql]
    assert ["MODIFY ORDER BY (topic, part, span, begin, place)" in sql for sql in changed] == [True, False]
    assert [sql.split(" ON CLUSTER")[0] for sql in changed] == [
        "ALTER TABLE fleetlog.log_times_local", "ALTER TABLE fleetlog.log_times",
    ]  # fmt: skip


def test_names_are_names_also_in_a_database_of_ones_own() -> None:
    local, over = rendered(TABLES[0], "my-cluster", "metrics_2")
    assert "metrics_2.points_local ON CLUSTER 'my-cluster'" in local
    assert "Distributed('my-cluster', 'metrics_2', 'points_local'," in over


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE points DROP COLUMN IF EXISTS rank",
        "DROP TABLE IF EXISTS points",
        "CREATE TABLE IF NOT EXISTS t (x Int64) ENGINE = Log",
        "CREATE TABLE IF NOT EXISTS t (x Int64) ENGINE = MergeTree ORDER BY x SETTINGS index_granularity = 8192",
    ],
)
def test_a_change_that_would_be_half_done_is_refused(sql: str) -> None:
    with pytest.raises(ValueError):
        rendered(sql, "main", "fleetlog")
    assert rendered("SELECT 1", "main", "fleetlog") == ["SELECT 1"]


def test_the_server_takes_the_settings_and_is_asked_for_the_cluster(clickhouse_server: str) -> None:
    """A server without that cluster: it says so, and nothing is made in part."""
    with clickhouse(clickhouse_server) as alone:
        database = alone.select(Statement("SELECT currentDatabase() AS d")).texts("d")[0]
        one = ClickHouseSettings.from_url(clickhouse_server)
        many = ClickHouseWarehouse(replace(one, database=database, cluster="nowhere"))
        for name, value in cluster.SELECT_SETTINGS.items():
            sql = f"SELECT toString(getSetting('{name}')) AS v"
            assert many.select(Statement(sql)).texts("v")[0] in (value, {"0": "false"}.get(value))
        known = Statement(
            "SELECT name FROM system.settings WHERE name IN {names:Array(String)}",
            {"names": list(cluster.INSERT_SETTINGS)},
        )
        assert set(alone.select(known).texts("name")) == set(cluster.INSERT_SETTINGS)
        with pytest.raises(WarehouseUnavailable, match="nowhere"):
            many.execute(Statement(TABLES[0]))
        with pytest.raises(WarehouseRefused, match=r"cluster\.py"):
            many.execute(Statement("DROP TABLE points"))
        assert alone.select(Statement("SHOW TABLES")).rows == 0
        many.close()


def test_the_clusters_name_comes_from_the_url() -> None:
    assert ClickHouseSettings.from_url("clickhouse://h?cluster=main").cluster == "main"
    with pytest.raises(ValueError, match="cluster"):
        ClickHouseSettings.from_url("clickhouse://h?cluster=a'b")
