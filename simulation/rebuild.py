"""The log folded once more, into empty tables; and what of tables has to be the same then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleetlog_core.log.port import EVENTS
from fleetlog_core.serving.telemetry import Telemetry

from simulation.broker import Broker
from simulation.history import History
from simulation.kernel import Kernel, Process
from simulation.services import Folding
from simulation.tables import Row, Tables

_LEFT_OUT = {
    # A batch of its own has a place of its own.
    "writers": ("next_offset",),
    "log_times": ("begin",),
}
COMPARED = ("points", "runs", "writers", "run_attrs", "problems", "run_homes", "tag_history")
SECONDS = 120.0
MOST_EVENTS = 100_000


def folded_rows(tables: Tables, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table that have to be the same, in one order."""
    rows = tables.all(table) if table == "points" else tables.final(table)
    left_out = _LEFT_OUT.get(table, ())
    return sorted(tuple(value for name, value in row.items() if name not in left_out) for row in rows)


def folded_anew(
    kernel: Kernel, broker: Broker, telemetry: Telemetry, refuses: Callable[[str, list[Row]], bool]
) -> Tables | None:
    """Tables of all that the log has; None: they were not done in time, which is told."""
    tables = Tables(History(), refuses=refuses)
    process = Process(kernel, "rebuild")
    folding = Folding(process, broker, tables, telemetry, 800_000, 1e9, "rebuild")
    ends = {
        partition.number: len(records) for partition, records in broker.records.items() if partition.topic == EVENTS
    }

    def is_done() -> bool:
        applied = {row["part"]: row["next_offset"] for row in tables.final("applied") if row["topic"] == EVENTS}
        return all(applied.get(part, 0) >= end for part, end in ends.items())

    is_there = kernel.run(kernel.now + SECONDS, is_done, MOST_EVENTS) and not kernel.failures
    folding.process.kill()
    if not is_there:
        kernel.broke("the log can't be folded anew (6)")
        return None
    return tables
