"""Namespaces in which there is something: runs, experiments or models."""

from __future__ import annotations

from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.warehouse.port import Statement, Warehouse

_TABLES = ("run_homes", "experiments", "registered_models", "logged_models")
_NAMES = Statement(
    " UNION DISTINCT ".join(f"SELECT DISTINCT toString(namespace) AS name FROM {table}" for table in _TABLES)
)


def namespaces(warehouse: Warehouse) -> list[str]:
    """Namespaces by name; the default one is always there."""
    return sorted({DEFAULT_NAMESPACE, *warehouse.select(_NAMES).texts("name")})
