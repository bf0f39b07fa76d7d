"""A warehouse that counts what is asked of it, and tells the traces."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fleetlog_core.rates.limiter import charge_read
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import Attributes, Span
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
from fleetlog_core.warehouse.wrapped import WrappedWarehouse

_NONE: Attributes = {}


class MeasuredWarehouse(WrappedWarehouse):
    """See Warehouse: the one that it is given, with seconds, rows and bytes of its statements in the telemetry.

    Traces have them where a call or a batch is under way, without their text."""

    def __init__(self, warehouse: Warehouse, telemetry: Telemetry) -> None:
        super().__init__(warehouse)
        self._telemetry = telemetry

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse."""
        begun, rows = time.monotonic(), 0
        try:
            with self._measured("select") as span:
                answer = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
                rows = answer.rows_read
                span.tell({"fleetlog.rows_read": rows, "fleetlog.bytes_read": answer.bytes_read})
        finally:
            charge_read(rows, time.monotonic() - begun)
        self._telemetry.statement_rows_read.inc(rows)
        self._telemetry.statement_bytes_read.inc(answer.bytes_read)
        return answer

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """See Warehouse."""
        with self._measured("insert", {"db.collection.name": table, "fleetlog.rows": rows_of(columns)}):
            self._warehouse.insert(table, columns, token)
        self._telemetry.rows_inserted.labels(table).inc(rows_of(columns))

    def execute(self, statement: Statement) -> None:
        """See Warehouse."""
        with self._measured("execute"):
            self._warehouse.execute(statement)

    @contextmanager
    def _measured(self, kind: str, attributes: Attributes = _NONE) -> Iterator[Span]:
        begun, outcome = time.monotonic(), "failed"
        told = {"db.system.name": "clickhouse", "db.operation.name": kind, **attributes}
        try:
            with self._telemetry.traces.inner(f"warehouse {kind}", told) as span:
                yield span
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
