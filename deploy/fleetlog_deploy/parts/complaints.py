"""Why engines can't be used, in words."""

from __future__ import annotations

from collections.abc import Callable

from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.rebuilds import NotWhole
from fleetlog_core.warehouse.migrate import migrations
from fleetlog_core.warehouse.port import (
    Statement,
    TimedOut,
    Warehouse,
    WarehouseRefused,
    WarehouseUnavailable,
)

LOOK_SECONDS = 5.0
"""The longest that a look at an engine takes before the engine counts as silent."""


def log_complaint(look: Callable[[], object]) -> str:
    """Why the log can't be used; empty when it can."""
    try:
        look()
    except LogUnavailable as error:
        return f"the log does not answer: {error}"
    return ""


def warehouse_complaint(warehouse: Warehouse) -> str:
    """Why the warehouse can't be used; empty when it can."""
    try:
        done = warehouse.select(Statement("SELECT name FROM migrations"), timeout_seconds=LOOK_SECONDS)
    except NotWhole as error:
        return str(error)
    except (WarehouseUnavailable, TimedOut) as error:
        return f"the warehouse does not answer: {error}"
    except WarehouseRefused:
        return "the warehouse has no tables yet; a materializer makes them"
    missing = sorted(migrations().keys() - set(done.texts("name")))
    return f"the warehouse lacks {missing[0]}; a materializer of this version makes it" if missing else ""
