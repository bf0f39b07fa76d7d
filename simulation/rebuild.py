"""The log folded once more, into empty tables; and what of tables has to be the same then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleetlog_core.log.port import CONTROL, EVENTS
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
COMPARED_NAMES = (
    "outcomes", "experiments", "experiment_history", "registered_models", "model_versions", "registry_history",
)  # fmt: skip
COMPARED = ("points", "runs", "writers", "run_attrs", "problems", "run_homes", "tag_history", *COMPARED_NAMES)
SECONDS = 120.0
MOST_EVENTS = 100_000


def unapplied(broker: Broker, tables: Tables) -> list[str]:
    """Partitions of which the tables lack something, in words."""
    applied = {(row["topic"], row["part"]): row["next_offset"] for row in tables.final("applied")}
    return [
        f"{partition} up to {len(records)}"
        for partition, records in broker.records.items()
        if partition.topic in (EVENTS, CONTROL) and applied.get((partition.topic, partition.number), 0) < len(records)
    ]


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

    def is_done() -> bool:
        return not unapplied(broker, tables)

    is_there = kernel.run(kernel.now + SECONDS, is_done, MOST_EVENTS) and not kernel.failures
    folding.process.kill()
    if not is_there:
        kernel.broke("the log can't be folded anew (6)")
        return None
    return tables
