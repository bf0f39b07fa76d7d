"""Numbered migrations, each applied once, in order. Released files are never changed."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np

from fleetlog_core.warehouse.port import Coded, Statement, Warehouse

_CREATE = re.compile(r"^CREATE (TABLE|MATERIALIZED VIEW) (?!IF)", re.MULTILINE)


def migrations() -> dict[str, str]:
    """The files by name, in order."""
    folder = files("fleetlog_core.warehouse") / "migrations"
    return {f.name: f.read_text(encoding="utf-8") for f in sorted(folder.iterdir(), key=lambda f: f.name)
            if f.name.endswith(".sql")}  # fmt: skip


def statements(text: str) -> list[str]:
    """The statements of a file. CREATE becomes CREATE … IF NOT EXISTS: a file that a crash cut short is run again."""
    lines = [re.sub(r"\s*--.*", "", line) for line in text.splitlines()]
    parts = "\n".join(lines).split(";\n")
    return [_CREATE.sub(r"CREATE \1 IF NOT EXISTS ", part.strip().rstrip(";")) for part in parts if part.strip()]


def migrate(warehouse: Warehouse) -> list[str]:
    """Apply what is missing; the names of what was applied."""
    warehouse.execute(
        Statement(
            "CREATE TABLE IF NOT EXISTS migrations (name LowCardinality(String)) ENGINE = ReplacingMergeTree"
            " ORDER BY name SETTINGS non_replicated_deduplication_window = 1000"
        )
    )
    done = set(warehouse.select(Statement("SELECT name FROM migrations")).texts("name"))
    applied = []
    for name, text in migrations().items():
        if name in done:
            continue
        for sql in statements(text):
            warehouse.execute(Statement(sql))
        warehouse.insert("migrations", {"name": Coded(np.zeros(1, np.uint32), [name])}, f"migration:{name}")
        applied.append(name)
    return applied
