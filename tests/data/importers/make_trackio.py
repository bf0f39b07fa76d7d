"""Makes the folders below trackio/, which the readers' tests read: one for each version of the library.

    pip install trackio==0.43.0 && python tests/data/importers/make_trackio.py        (and 0.9.1)

What the newest of them exports as Parquet is in a folder of its own. The library's own storage writes it all. It is
loaded without the package around it, whose older versions want gradio.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import sqlite3
import sys
import types
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "trackio"
STEPS = 50
CONFIG: dict[str, Any] = {"lr": 0.1, "optimizer": {"name": "adam"}, "_Username": "ann", "_Group": "group"}
CREATED = "2026-01-02T03:04:05+00:00"


def rows() -> list[dict[str, Any]]:
    """What was logged, a step each."""
    found: list[dict[str, Any]] = [{"loss": 1 / (step + 1), "nested": {"a": step}} for step in range(STEPS)]
    found += [{"loss": float("nan")}, {"loss": float("-inf"), "flag": True, "text": "words"}]
    return [*found, {"table": {"_type": "trackio.table", "_value": [{"x": 1, "y": "z"}]}}]


def numbers() -> list[tuple[str, int, float]]:
    """Points of the first run, as [key, step, value]."""
    found = [("loss", step, 1 / (step + 1)) for step in range(STEPS)]
    found += [("nested.a", step, float(step)) for step in range(STEPS)]
    return [*found, ("loss", 50, float("nan")), ("loss", 51, float("-inf")), ("flag", 51, 1.0)]


def main() -> None:
    spec = importlib.util.find_spec("trackio")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit(__doc__)
    folder = next(iter(spec.submodule_search_locations))
    version = json.loads((Path(folder) / "package.json").read_text())["version"]
    target = HERE / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    os.environ |= {"TRACKIO_DIR": str(target), "HF_HUB_OFFLINE": "1"}
    package = types.ModuleType("trackio")
    package.__path__ = [folder]
    sys.modules["trackio"] = package
    utils = importlib.import_module("trackio.utils")
    vars(utils)["TRACKIO_DIR"] = target
    storage = importlib.import_module("trackio.sqlite_storage")
    vars(storage)["TRACKIO_DIR"] = target
    times = [f"2026-01-02T03:05:{step % 60:02}.250000+00:00" for step in range(len(rows()))]
    write = storage.SQLiteStorage.bulk_log
    ids = {"run_id": "id-of-first"} if "run_id" in write.__annotations__ else {}
    write("project", "first", rows(), list(range(len(rows()))), times, {**CONFIG, "_Created": CREATED}, **ids)
    if hasattr(storage.SQLiteStorage, "bulk_log_system"):
        storage.SQLiteStorage.bulk_log_system("project", "first", [{"gpu": 0.5}, {"gpu": 0.75}], times[:2], **ids)
    write("project", "second", [{"loss": 2.0}], [3], times[:1], {"lr": 1})
    whole = HERE / "whole.db"
    with closing(sqlite3.connect(target / "project.db")) as connection, closing(sqlite3.connect(whole)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("VACUUM")
    parquet = target.with_name(f"{version}-parquet")
    shutil.rmtree(parquet, ignore_errors=True)
    if "run_id" in write.__annotations__:
        storage.SQLiteStorage._dataset_import_attempted = True
        storage.SQLiteStorage.export_to_parquet()
        parquet.mkdir()
        for file in target.glob("*.parquet"):
            file.rename(parquet / file.name)
    shutil.rmtree(target)
    target.mkdir()
    whole.rename(target / "project.db")
    print(target)


if __name__ == "__main__":
    main()
