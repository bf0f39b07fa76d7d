from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from fleetlog_core.serving.measured import MeasuredWarehouse
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import Answer, Column, Statement, TimedOut, WarehouseRefused, WarehouseUnavailable

from tests.core.serving.numbers import numbers
from tests.warehouses import Untouched

STATEMENT = Statement("SELECT 1")


class Answering(Untouched):
    """A warehouse that answers each select alike, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        assert timeout_seconds == 7.0
        if self._error is not None:
            raise self._error
        return Answer({}, 0, rows_read=1_000, bytes_read=64_000)

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        if self._error is not None:
            raise self._error


def test_what_statements_read_and_bring() -> None:
    telemetry = Telemetry()
    warehouse = MeasuredWarehouse(Answering(), telemetry)
    for _ in range(2):
        assert warehouse.select(STATEMENT, timeout_seconds=7.0).rows_read == 1_000
    warehouse.insert("points", {"step": np.zeros(5, np.int64)}, "token")
    told = numbers(telemetry.text())
    assert told["fleetlog_statement_rows_read_total",] == 2_000
    assert told["fleetlog_statement_bytes_read_total",] == 128_000
    assert told["fleetlog_statement_seconds_count", "select", "ok"] == 2
    assert told["fleetlog_rows_inserted_total", "points"] == 5
    assert told["fleetlog_statement_seconds_count", "insert", "ok"] == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimedOut("slow"), "timed_out"),
        (WarehouseRefused("no such table"), "refused"),
        (WarehouseUnavailable("down"), "unavailable"),
    ],
)
def test_failures_pass_and_are_told_apart(error: Exception, outcome: str) -> None:
    telemetry = Telemetry()
    warehouse = MeasuredWarehouse(Answering(error), telemetry)
    with pytest.raises(type(error)):
        warehouse.select(STATEMENT, timeout_seconds=7.0)
    with pytest.raises(type(error)):
        warehouse.insert("points", {"step": np.zeros(5, np.int64)}, "token")
    told = numbers(telemetry.text())
    assert told["fleetlog_statement_seconds_count", "select", outcome] == 1
    assert ("fleetlog_rows_inserted_total", "points") not in told
