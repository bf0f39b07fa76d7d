"""An empty chDB warehouse, migrated once on a machine and copied: that takes a tenth of what the migrations take.

What migrations do is the matter of tests/core/test_migrate.py and tests/deploy/test_up.py, which copy nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from fleetlog_core.warehouse import migrate

from tests.own_processes import in_own_process


def _digest() -> str:
    """Digest of all that the files of an empty warehouse come from."""
    texts = [version("chdb-core"), Path(migrate.__file__).read_text(encoding="utf-8"), *migrate.migrations().values()]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


EMPTY = Path(__file__).parents[1] / "build" / "empty_warehouses" / _digest()
"""Where it is; `make clean` removes it."""


def make_empty_warehouse() -> None:
    """Make it, unless it is there."""
    if EMPTY.exists():
        return
    EMPTY.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=EMPTY.parent) as scratch:
        made = Path(scratch) / "warehouse"
        in_own_process(_migrate, made)
        # Another run of tests may be quicker.
        with suppress(OSError):
            made.rename(EMPTY)


def copy_empty_warehouse(path: Path) -> None:
    """Make the directory a copy, unless it is there. A process that is killed amid it leaves none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=path.parent)
        shutil.copytree(EMPTY, scratch, symlinks=True, dirs_exist_ok=True)
        Path(scratch).rename(path)


def _migrate(path: Path) -> None:
    # Loaded here alone: it starts threads.
    from fleetlog_core.warehouse.chdb import ChdbWarehouse

    warehouse = ChdbWarehouse(path)
    migrate.migrate(warehouse)
    warehouse.close()
