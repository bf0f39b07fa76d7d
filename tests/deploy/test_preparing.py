"""The tables of a ClickHouse server at a materializer's start: whole, or left for ones that are made anew."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import fleetlog as client
import pytest
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.log.port import EVENTS, Commit, Partition
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.generations import Generations
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_deploy.doctor import examine
from fleetlog_deploy.engines import Engines
from fleetlog_deploy.parts.query import QueryPart
from fleetlog_deploy.preparing import prepare
from fleetlog_deploy.settings.model import LogSettings, ObjectsSettings, QuerySettings, Settings, WarehouseSettings
from fleetlog_ingest.losses import LogLost

from tests.deploy.databases import database
from tests.deploy.processes import running
from tests.ingest.materializer.history import write

GROUP = "folding"


@pytest.fixture
def settings(clickhouse_server: str, tmp_path: Path) -> Iterator[Settings]:
    """Engines of the test's own."""
    with database(clickhouse_server) as url:
        yield Settings(
            log=LogSettings(url=f"sqlite:{tmp_path / 'log'}"),
            warehouse=WarehouseSettings(url=url),
            objects=ObjectsSettings(url=f"folder:{tmp_path / 'objects'}"),
        )


@pytest.fixture
def engines(settings: Settings) -> Iterator[Engines]:
    """Opened on them."""
    with closing(Engines(settings, Telemetry())) as engines:
        yield engines


def _prepare(engines: Engines) -> str:
    return prepare(engines, GROUP, Telemetry())


def _not_durable(engines: Engines) -> list[str]:
    sql = (
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'Null'"
        " AND NOT create_table_query LIKE '%fsync_after_insert = 1, fsync_part_directory = 1%'"
    )
    return engines.warehouse.select(Statement(sql)).texts("name")


def _drop_a_part(engines: Engines, table: str = "migrations") -> None:
    (name,) = engines.warehouse.select(
        Statement(f"SELECT name FROM system.parts WHERE database = currentDatabase() AND table = '{table}' AND active"
                  " ORDER BY max_block_number DESC LIMIT 1")
    ).texts("name")  # fmt: skip
    engines.warehouse.execute(Statement(f"ALTER TABLE {table} DROP PART '{name}'"))


async def _lose(engines: Engines) -> None:
    assert _prepare(engines) == GROUP
    assert _not_durable(engines) == []
    assert _prepare(engines) == GROUP
    applied = AppliedWatch(engines.reads)
    part = QueryPart(engines, applied, Telemetry(), QuerySettings(token_key="00" * 32))
    assert await asyncio.to_thread(part.complaint) == ""
    assert await applied.now() == dict[Partition, int]()
    _drop_a_part(engines)
    assert "rows of the warehouse are lost" in await asyncio.to_thread(engines.reads.look_again)
    assert "rows of the warehouse are lost" in await asyncio.to_thread(part.complaint)
    await part.stop()
    await applied.close()


def test_a_server_that_lost_parts_is_not_ready(engines: Engines) -> None:
    asyncio.run(_lose(engines))


def test_what_lost_rows_is_left_and_the_next_generation_begins_at_the_logs_begin(
    engines: Engines, settings: Settings
) -> None:
    write(engines.log, 2, 20)
    assert (_prepare(engines), engines.generation()) == (GROUP, 1)
    _drop_a_part(engines)
    with closing(Engines(_for_reading(settings), Telemetry())) as reader:
        assert (reader.generation(), reader.superseded()) == (1, "")
        telemetry = Telemetry()
        assert prepare(engines, GROUP, telemetry) == f"{GROUP}-g2"
        assert telemetry.registry.get_sample_value("fleetlog_rebuilds_total") == 1
        # Whoever knew the one before is told, and does not serve it meanwhile.
        assert "_g2 by now" in reader.superseded()
        assert "rows of the warehouse are lost" in reader.reads.look_again()
    assert engines.generation() == 2
    assert _not_durable(engines) == []
    assert _prepare(engines) == f"{GROUP}-g2"
    assert "being rebuilt from the log: 0 of" in engines.reads.look_again()
    _drop_a_part(engines)
    assert _prepare(engines) == f"{GROUP}-g3"


def test_a_query_service_that_is_started_meanwhile_says_how_far_it_is(
    engines: Engines, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(engines.log, 2, 20)
    _prepare(engines)
    _drop_a_part(engines)
    _prepare(engines)
    environment = {
        "FLEETLOG_WAREHOUSE_URL": settings.warehouse.url,
        "FLEETLOG_OBJECTS_URL": settings.objects.url,
        "FLEETLOG_QUERY_TOKEN_KEY": "00" * 32,
    }
    with running("serve", "query", "--port", "0", environment=environment) as server:
        with pytest.raises(client.Unavailable, match="0 of") as caught:
            client.Client(server.target).experiments()
        assert caught.value.reason == "WAREHOUSE_REBUILDING"
        assert examine(tmp_path / "none", server.target) == 1
        assert f"{server.target}: the tables are being rebuilt from the log" in capsys.readouterr().out


def _for_reading(settings: Settings) -> Settings:
    """As another process has them, which does not open the log."""
    return replace(settings, log=LogSettings(url="sqlite:/nowhere"))


def _dropped_database(engines: Engines) -> None:
    name = engines.warehouse.select(Statement("SELECT currentDatabase() AS name")).texts("name")[0]
    engines.warehouse.execute(Statement(f"DROP DATABASE {name} SYNC"))


def _dropped_table(engines: Engines) -> None:
    engines.warehouse.execute(Statement("DROP TABLE migrations SYNC"))


def _without_checkpoints(engines: Engines) -> None:
    engines.warehouse.execute(Statement("DROP TABLE checkpoints SYNC"))


def _older(engines: Engines) -> None:
    """The group is beyond what the tables have."""


@pytest.mark.parametrize("harm", [_dropped_database, _dropped_table, _without_checkpoints, _older])
def test_tables_that_are_gone_or_behind_the_group_are_made_anew(
    engines: Engines, harm: Callable[[Engines], None]
) -> None:
    write(engines.log, 2, 20)
    _prepare(engines)
    member = engines.log.consumer(GROUP, (EVENTS,))
    member.poll(0.0, max_bytes=1)
    member.commit(Partition(EVENTS, 0), Commit(10))
    member.close()
    harm(engines)
    assert _prepare(engines) == f"{GROUP}-g2"
    assert "being rebuilt" in engines.reads.look_again()


def test_a_generation_that_was_dropped_by_hand_does_not_bring_back_the_one_before(engines: Engines) -> None:
    _prepare(engines)
    _drop_a_part(engines)
    _prepare(engines)
    _dropped_database(engines)
    engines.close_warehouse()
    assert engines.generation() == 1
    assert "rows of the warehouse are lost" in engines.reads.look_again()
    assert _prepare(engines) == f"{GROUP}-g2"


class _Killed(Exception):
    """The maker dies."""


class _Dying:
    """A warehouse whose owner dies at the statement with this number that changes something."""

    def __init__(self, inner: object, left: list[int]) -> None:
        self._inner, self._left = inner, left

    def __getattr__(self, name: str) -> object:
        if name in ("insert", "execute"):
            self._left[0] -= 1
            if self._left[0] < 0:
                raise _Killed
        return getattr(self._inner, name)


def test_a_maker_that_is_killed_at_any_step_leaves_what_the_next_one_finishes(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(engines.log, 1, 10)
    _prepare(engines)
    _drop_a_part(engines)
    opened = Generations.opened
    steps = 0
    left = [0]

    def dying(self: Generations, number: int) -> Warehouse:
        return cast(Warehouse, _Dying(opened(self, number), left))

    engines.generation()
    with monkeypatch.context() as patch:
        patch.setattr(Generations, "opened", dying)
        while True:
            # Some steps further each time, the last of them one by one.
            left[0] = steps
            try:
                group = _prepare(engines)
            except _Killed:
                assert engines.generations is not None
                assert engines.generations.newest() == 1, "it counts when it is whole"
                assert engines.reads.look_again(), "what lost rows is not served"
                steps += 7
            else:
                break
    assert steps > 7
    assert group == f"{GROUP}-g2"
    assert "being rebuilt from the log: 0 of" in engines.reads.look_again()
    engines.close_warehouse()
    assert _prepare(engines) == group


def test_where_the_log_cant_bring_the_rows_back_nothing_is_touched(engines: Engines, settings: Settings) -> None:
    write(engines.log, 2, 20)
    _prepare(engines)
    _drop_a_part(engines)
    engines.log.close()
    path = Path(settings.log.url.removeprefix("sqlite:")) / "events.sqlite"
    with closing(sqlite3.connect(path)) as log, log:
        log.execute("DELETE FROM records WHERE id IN (SELECT min(id) FROM records GROUP BY id >> 48)")
    with closing(Engines(settings, Telemetry())) as again:
        with pytest.raises(LogLost, match="the log no longer has all of"):
            _prepare(again)
        assert again.generations is not None
        assert again.generations.newest() == 1
        assert "superseded" not in again.warehouse.select(
            Statement("SELECT name FROM system.tables WHERE database = currentDatabase()")
        ).texts("name")
