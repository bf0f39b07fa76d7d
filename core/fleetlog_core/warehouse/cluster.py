"""The migrations for a cluster of ClickHouse servers: shards by run, and replicas of each.

A table `points` becomes `points_local`, replicated, on every server, and `points` over all shards of them. All that is
about a run is on one shard: tables with a run id are cut by it, the others by what they are ordered by first. So what
a statement looks up about runs (IN, JOIN) is looked up on each shard alone.

Tried on two shards: a log folded into them gave the checksums of one server, and the random filters and orders of
tests/query/search/test_congruence.py found the same runs in the same order.
"""

from __future__ import annotations

import re

DEDUPLICATION_SECONDS = 30 * 86_400
"""How long a replicated table remembers tokens: longer than a materializer may be down between insert and commit."""

SELECT_SETTINGS = {
    # Everything about a run is on one shard.
    "distributed_product_mode": "local",
    # Each shard's first replica that is up, whichever server was asked: another may not have the last insert yet.
    "load_balancing": "in_order",
    "prefer_localhost_replica": "0",
}
INSERT_SETTINGS = {
    # Returns when the shards have it.
    "distributed_foreground_insert": "1",
    # More than half of the replicas: with two both, with three one may be down.
    "insert_quorum": "auto",
    "load_balancing": "in_order",
    "prefer_localhost_replica": "0",
}

_TABLE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+) \((?P<columns>.*)\)\s+ENGINE = (?P<engine>\w*MergeTree)"
    r"(?P<arguments>\([^)]*\))?\s+ORDER BY (?P<order>\w+|\([^)]*\))\s+SETTINGS (?P<settings>.*)",
    re.DOTALL,
)
_COLUMN = re.compile(r"ALTER TABLE (?P<name>\w+) ADD COLUMN IF NOT EXISTS (?P<column>.*)", re.DOTALL)
_ORDER = re.compile(
    r"ALTER TABLE (?P<name>\w+) (?P<columns>ADD COLUMN IF NOT EXISTS .*?), MODIFY ORDER BY (?P<order>\([^)]*\))",
    re.DOTALL,
)
_SETTING = re.compile(r"ALTER TABLE (?P<name>\w+) MODIFY SETTING (?P<settings>[^;]*)", re.DOTALL)
_INDEX = re.compile(r"ALTER TABLE (?P<name>\w+) (?P<change>(?:ADD|MATERIALIZE) INDEX .*)", re.DOTALL)
_DROP = re.compile(r"DROP VIEW IF EXISTS (?P<name>\w+)")
_WINDOW = re.compile(r"\bnon_replicated_deduplication_window = (\d+)")
_DDL = re.compile(r"\s*(CREATE|ALTER|DROP|RENAME|TRUNCATE|ATTACH|DETACH)\b", re.IGNORECASE)


def rendered(sql: str, cluster: str, database: str) -> list[str]:
    """A statement of a migration as statements for the cluster; what changes no schema as it is.

    `cluster` and `database` are names that settings have checked. ValueError for a change that is not known here.
    """
    if table := _TABLE.fullmatch(sql):
        return _table(table, cluster, database)
    if ordered := _ORDER.fullmatch(sql):
        change, table_name = f"ON CLUSTER '{cluster}' {ordered['columns']}", f"{database}.{ordered['name']}"
        return [
            f"ALTER TABLE {table_name}_local {change}, MODIFY ORDER BY {ordered['order']}",
            f"ALTER TABLE {table_name} {change}",
        ]
    if column := _COLUMN.fullmatch(sql):
        return [
            f"ALTER TABLE {database}.{table} ON CLUSTER '{cluster}' ADD COLUMN IF NOT EXISTS {column['column']}"
            for table in (f"{column['name']}_local", column["name"])
        ]
    if setting := _SETTING.fullmatch(sql):
        local = f"{database}.{setting['name']}_local"
        return [f"ALTER TABLE {local} ON CLUSTER '{cluster}' MODIFY SETTING {setting['settings']}"]
    if index := _INDEX.fullmatch(sql):
        return [f"ALTER TABLE {database}.{index['name']}_local ON CLUSTER '{cluster}' {index['change']}"]
    if drop := _DROP.fullmatch(sql):
        return [f"DROP VIEW IF EXISTS {database}.{drop['name']} ON CLUSTER '{cluster}'"]
    if _DDL.match(sql):
        raise ValueError(f"this change is not known for a cluster; teach it to cluster.py: {sql[:100]}")
    return [sql]


def _table(table: re.Match[str], cluster: str, database: str) -> list[str]:
    name, local = f"{database}.{table['name']}", f"{table['name']}_local"
    window = rf"replicated_deduplication_window = \1, replicated_deduplication_window_seconds = {DEDUPLICATION_SECONDS}"
    settings, windows = _WINDOW.subn(window, table["settings"])
    if windows != 1:
        raise ValueError(f"{table['name']} has no deduplication window: an insert that is repeated would count twice")
    order = re.findall(r"\w+", table["order"])
    shard = "run_id" if "run_id" in order else order[0]
    return [
        f"CREATE TABLE IF NOT EXISTS {database}.{local} ON CLUSTER '{cluster}' ({table['columns']})"
        f" ENGINE = Replicated{table['engine']}{table['arguments'] or ''}"
        f" ORDER BY {table['order']} SETTINGS {settings}",
        f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER '{cluster}' AS {database}.{local}"
        f" ENGINE = Distributed('{cluster}', '{database}', '{local}', cityHash64({shard}))",
    ]
