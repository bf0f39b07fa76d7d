"""The warehouse as a ClickHouse server, over its native protocol."""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fleetlog_core.warehouse import cluster
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.engine import INSERT_ROWS, insert_settings, select_settings
from fleetlog_core.warehouse.native import rows_of
from fleetlog_core.warehouse.port import (
    Answer,
    Column,
    DatabaseMissing,
    Statement,
    TimedOut,
    WarehouseRefused,
    WarehouseUnavailable,
)
from fleetlog_core.warehouse.wire import Wire

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


class ClickHouseWarehouse:
    """See Warehouse. Connects when it is first asked: a server that is down is WarehouseUnavailable then, not here."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._pid = os.getpid()
        self._closed = False
        self._closing = threading.Lock()
        # The one used last is used next: few stay connected, and those are warm.
        self._idle: queue.LifoQueue[Wire] = queue.LifoQueue()
        for _ in range(settings.connections):
            self._idle.put(Wire(settings))

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        deadline = time.monotonic() + timeout_seconds
        with self._wire(timeout_seconds) as wire:
            settings = select_settings(statement, deadline - time.monotonic())
            if self._settings.cluster:
                settings |= cluster.SELECT_SETTINGS
            return wire.select(statement.sql, statement.binds, deadline, settings)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        rows = rows_of(columns)
        if rows == 0:
            return
        if rows > INSERT_ROWS:
            raise WarehouseRefused(f"{rows:,} rows in one insert; at most {INSERT_ROWS:,}")
        if not all(_IDENTIFIER.fullmatch(name) for name in (table, *columns)):
            raise WarehouseRefused("not the name of a table or of columns")
        sql = f"INSERT INTO {table} ({', '.join(columns)})"
        settings = insert_settings(token)
        if self._settings.cluster:
            settings |= cluster.INSERT_SETTINGS
        with self._wire(self._settings.insert_timeout_seconds) as wire:
            try:
                wire.insert(sql, columns, settings)
            except TimedOut as error:
                # Ended from outside. Whether it happened is not known: the token makes a repeat safe.
                raise WarehouseUnavailable(str(error)) from error
            except WarehouseUnavailable as error:
                raise WarehouseUnavailable(f"rows for {table}: {error}", shortage=error.shortage) from error
            except WarehouseRefused as error:
                raise WarehouseRefused(f"rows for {table}: {error}") from error

    def execute(self, statement: Statement) -> None:
        """See Warehouse. Makes the database when it is not there: only migrations come here first."""
        for sql in self._rendered(statement.sql):
            with self._wire(self._settings.insert_timeout_seconds) as wire:
                try:
                    wire.execute(sql, statement.binds, {})
                except DatabaseMissing:
                    wire.create_database()
                    wire.execute(sql, statement.binds, {})

    def _rendered(self, sql: str) -> list[str]:
        if self._settings.cluster is None:
            return [sql]
        try:
            return cluster.rendered(sql, self._settings.cluster, self._settings.database)
        except ValueError as error:
            raise WarehouseRefused(str(error)) from error

    def version(self, table: str) -> int | None:
        """See Warehouse: any number of processes write there."""
        return None

    def close(self) -> None:
        """See Warehouse. Calls under way end as they would; their connections close then."""
        with self._closing:
            self._closed = True
            self._disconnect_idle()

    def _disconnect_idle(self) -> None:
        wires = []
        while not self._idle.empty():
            try:
                wires.append(self._idle.get_nowait())
            except queue.Empty:
                break
        for wire in wires:
            wire.disconnect()
            self._idle.put(wire)

    def _check(self) -> None:
        if self._closed:
            raise WarehouseUnavailable("the warehouse is closed")
        if os.getpid() != self._pid:
            raise WarehouseUnavailable("connections to ClickHouse can't be used after a fork: open it again")

    @contextmanager
    def _wire(self, timeout_seconds: float) -> Iterator[Wire]:
        self._check()
        try:
            wire = self._idle.get(timeout=max(timeout_seconds, 0.001))
        except queue.Empty:
            raise TimedOut(f"all {self._settings.connections} connections were busy for that long") from None
        try:
            self._check()
            yield wire
        finally:
            with self._closing:
                if self._closed:
                    wire.disconnect()
                self._idle.put(wire)
