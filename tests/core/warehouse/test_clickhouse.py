"""What a warehouse behind a network adds: servers that are away, connections that break, names and secrets."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import trustme
from fleetlog_core.warehouse.clickhouse import ClickHouseWarehouse
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable

from tests.core.proxy import Proxy
from tests.core.warehouse.engines import clickhouse
from tests.servers import unique

ONE = Statement("SELECT 1 AS x")


@pytest.fixture
def proxy(clickhouse_server: str) -> Iterator[Proxy]:
    settings = ClickHouseSettings.from_url(clickhouse_server)
    with Proxy(settings.host, settings.port) as proxy:
        yield proxy


@pytest.fixture
def through(clickhouse_server: str, proxy: Proxy) -> Iterator[Warehouse]:
    """A warehouse behind the proxy."""
    with clickhouse(clickhouse_server, port=proxy.port) as warehouse:
        sql = "CREATE TABLE t (x Int64) ENGINE = MergeTree ORDER BY x"
        warehouse.execute(Statement(f"{sql} SETTINGS non_replicated_deduplication_window = 9"))
        yield warehouse


def numbers(warehouse: Warehouse) -> int:
    return int(warehouse.select(Statement("SELECT count() AS n FROM t")).array("n")[0])


def test_a_server_that_is_away_is_unavailable_until_it_is_back(clickhouse_server: str) -> None:
    settings = ClickHouseSettings.from_url(clickhouse_server)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = ClickHouseWarehouse(replace(settings, port=port, password="secret-word"))
    begun = time.monotonic()
    for _ in range(2):
        with pytest.raises(WarehouseUnavailable) as caught:
            away.select(ONE)
        assert "secret-word" not in str(caught.value)
    assert time.monotonic() - begun < 2
    away.close()
    back = ClickHouseWarehouse(replace(settings, port=port))
    with pytest.raises(WarehouseUnavailable):
        back.select(ONE)
    with Proxy(settings.host, settings.port, at=port):
        assert back.select(ONE).array("x").tolist() == [1]
    back.close()


def test_a_connection_that_broke_while_idle_costs_nothing(through: Warehouse, proxy: Proxy) -> None:
    assert numbers(through) == 0
    before = proxy.accepted
    proxy.cut()
    through.insert("t", {"x": np.arange(3)}, "one")
    proxy.cut()
    assert numbers(through) == 3
    assert proxy.accepted == before + 2


def test_an_insert_that_was_cut_is_repeated_with_its_token(through: Warehouse, proxy: Proxy) -> None:
    rows = {"x": np.arange(500_000)}
    proxy.cut_after_sent = 2_000_000
    with pytest.raises(WarehouseUnavailable):
        through.insert("t", rows, "one")
    proxy.cut_after_sent = None
    assert numbers(through) == 0
    through.insert("t", rows, "one")
    through.insert("t", rows, "one")
    assert numbers(through) == 500_000


def test_an_insert_whose_answer_was_lost_is_not_doubled(through: Warehouse, proxy: Proxy) -> None:
    rows = {"x": np.arange(1_000)}
    for token in ("one", "two"):
        done = threading.Event()

        def write(token: str = token, done: threading.Event = done) -> None:
            through.insert("t", rows, token)
            done.set()

        proxy.cut_answers = True
        with pytest.raises(WarehouseUnavailable):
            write()
        proxy.cut_answers = False
        write()
        assert done.is_set()
    assert numbers(through) == 2_000


def test_a_silent_server_is_unavailable_within_seconds(through: Warehouse, proxy: Proxy) -> None:
    assert numbers(through) == 0
    proxy.stall()
    begun = time.monotonic()
    with pytest.raises(WarehouseUnavailable):
        through.select(ONE, timeout_seconds=0.1)
    assert time.monotonic() - begun < 8
    proxy.resume()
    assert numbers(through) == 0


def test_an_answer_that_was_cut_is_no_answer(through: Warehouse, proxy: Proxy) -> None:
    through.insert("t", {"x": np.arange(1_000_000)}, "one")
    proxy.cut_after_answered = 3_000_000
    with pytest.raises(WarehouseUnavailable):
        through.select(Statement("SELECT x FROM t", wide=True))
    proxy.cut_after_answered = None
    assert through.select(ONE).array("x").tolist() == [1]


def test_calls_beyond_the_connections_wait_their_time(clickhouse_server: str) -> None:
    with clickhouse(clickhouse_server, connections=1) as warehouse:
        long = Statement("SELECT count() AS n FROM numbers(1000000000000) WHERE NOT ignore(cityHash64(number))")
        ended: list[BaseException] = []

        def hold() -> None:
            try:
                warehouse.select(long, timeout_seconds=1)
            except TimedOut as error:
                ended.append(error)

        holder = threading.Thread(target=hold)
        holder.start()
        said = set()
        while holder.is_alive():
            try:
                warehouse.select(ONE, timeout_seconds=0.05)
            except TimedOut as error:
                said.add(str(error))
        holder.join()
        assert "all 1 connections were busy for that long" in said
        assert len(ended) == 1
        assert warehouse.select(ONE).rows == 1


def test_the_database_is_made_by_the_first_migration_alone(clickhouse_server: str) -> None:
    database = unique("test").replace("-", "_")
    warehouse = ClickHouseWarehouse(replace(ClickHouseSettings.from_url(clickhouse_server), database=database))
    try:
        with pytest.raises(WarehouseUnavailable, match=database):
            warehouse.select(ONE)
        with pytest.raises(WarehouseUnavailable, match=database):
            warehouse.insert("points", {"step": np.arange(3)}, "one")
        migrate(warehouse)
        assert warehouse.select(Statement("SELECT currentDatabase() AS d")).texts("d") == [database]
    finally:
        warehouse.execute(Statement(f"DROP DATABASE IF EXISTS {database} SYNC"))
        warehouse.close()


def test_who_is_not_let_in_is_no_refused_row(clickhouse_server: str) -> None:
    """A refused row is set aside for good; a password can be mended."""
    settings = replace(ClickHouseSettings.from_url(clickhouse_server), user="nobody", password="secret-word")
    warehouse = ClickHouseWarehouse(settings)
    with pytest.raises(WarehouseUnavailable, match="Authentication failed") as caught:
        warehouse.insert("points", {"step": np.arange(3)}, "one")
    assert "secret-word" not in str(caught.value)
    assert "Stack trace" not in str(caught.value)
    warehouse.close()


def test_a_forked_child_does_not_speak_on_its_parents_connection(clickhouse_server: str) -> None:
    with clickhouse(clickhouse_server) as warehouse:
        child = os.fork()
        if child == 0:
            try:
                warehouse.select(ONE)
            except WarehouseUnavailable:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert warehouse.select(ONE).rows == 1


def test_tls_trusts_the_authority_that_is_named_and_no_other(
    clickhouse_server: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import ssl

    ours, other = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    folder = tmp_path_factory.mktemp("tls")
    for name, authority in (("ours", ours), ("other", other)):
        authority.cert_pem.write_to_path(folder / f"{name}.pem")
    settings = ClickHouseSettings.from_url(clickhouse_server)
    with Proxy(settings.host, settings.port, context) as proxy:
        secure = replace(settings, port=proxy.port, secure=True, ca_path=folder / "ours.pem")
        trusting = ClickHouseWarehouse(secure)
        assert trusting.select(ONE).array("x").tolist() == [1]
        trusting.close()
        for wrong in (replace(secure, ca_path=folder / "other.pem"), replace(secure, ca_path=None)):
            distrusting = ClickHouseWarehouse(wrong)
            with pytest.raises(WarehouseUnavailable, match="certificate"):
                distrusting.select(ONE)
            distrusting.close()


def test_settings_of_a_url() -> None:
    settings = ClickHouseSettings.from_url("clickhouses://writer:p%40ss@db.example/metrics?ca=/etc/ca.pem&compress=1")
    assert (settings.host, settings.port, settings.database) == ("db.example", 9440, "metrics")
    assert (settings.user, settings.password, settings.secure) == ("writer", "p@ss", True)
    assert (str(settings.ca_path), settings.compress) == ("/etc/ca.pem", True)
    plain = ClickHouseSettings.from_url("clickhouse://127.0.0.1")
    assert (plain.port, plain.database, plain.user, plain.secure) == (9000, "fleetlog", "default", False)


def test_a_password_is_never_shown() -> None:
    settings = ClickHouseSettings.from_url("clickhouse://me:hunter2@h")
    assert "hunter2" not in repr(settings) + str(settings)
    with pytest.raises(ValueError, match="port") as caught:
        ClickHouseSettings.from_url("clickhouse://me:hunter2@h:99999")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "clickhouse://"),
        ("clickhouse://", "host"),
        ("clickhouse://h/a-b", "database"),
        ("clickhouse://h/a`b", "database"),
        (f"clickhouse://h/{'a' * 65}", "more than 64"),
        ("clickhouse://h/tracking_g2", "is a generation of 'tracking'"),
        ("clickhouse://h?ca=/x", "secure"),
        ("clickhouse://h?sslmode=0", "sslmode"),
        ("clickhouse://h:0x1", "port"),
    ],
)
def test_a_wrong_url_names_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ClickHouseSettings.from_url(url)


def test_no_more_rows_than_a_block(clickhouse_server: str) -> None:
    warehouse = ClickHouseWarehouse(ClickHouseSettings.from_url(clickhouse_server))
    with pytest.raises(WarehouseRefused, match="at most 1,000,000"):
        warehouse.insert("points", {"step": np.zeros(1_000_001, np.int64)}, "one")
    warehouse.close()
