"""A warehouse that counts what is asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.native import rows_of
from fleetlog_core.warehouse.port import (
    Answer,
    Column,
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)


class MeasuredWarehouse:
    """See Warehouse: the one that it is given, with seconds, rows and bytes of its statements in the telemetry."""

    def __init__(self, warehouse: Warehouse, telemetry: Telemetry) -> None:
        self._warehouse = warehouse
        self._telemetry = telemetry

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        with self._measured("select"):
            answer = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        self._telemetry.statement_rows_read.inc(answer.rows_read)
        self._telemetry.statement_bytes_read.inc(answer.bytes_read)
        return answer

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        with self._measured("insert"):
            self._warehouse.insert(table, columns, token)
        self._telemetry.rows_inserted.labels(table).inc(rows_of(columns))

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        with self._measured("execute"):
            self._warehouse.execute(statement)

    def close(self) -> None:
        """See Warehouse."""
        self._warehouse.close()

    @contextmanager
    def _measured(self, kind: str) -> Iterator[None]:
        begun, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "ok"
        except TimedOut:
            outcome = "timed_out"
            raise
        except WarehouseRefused:
            outcome = "refused"
            raise
        except WarehouseUnavailable:
            outcome = "unavailable"
            raise
        finally:
            self._telemetry.statement_seconds.labels(kind, outcome).observe(time.monotonic() - begun)
