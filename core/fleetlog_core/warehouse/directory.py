"""The directory of chDB as a ClickHouse server finds it.

The tables are the same files. What differs is how the database is found: chDB follows a link to the database's own
directory, a server reads a file that names it. The file is written beside the link, which chDB does not mind: so any
embedded directory opens under a server, and again under chDB. docs/growing_up.md has the steps.
"""

from __future__ import annotations

import re
from pathlib import Path

DATABASE = "default"
"""What chDB calls its database."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def name_database(path: Path) -> None:
    """Write the file, unless it is there. OSError."""
    link, file = path / "metadata" / DATABASE, path / "metadata" / f"{DATABASE}.sql"
    if file.exists() or not link.is_symlink():
        return
    uuid = link.readlink().name
    if not _UUID.fullmatch(uuid):
        return
    scratch = file.with_suffix(".tmp")
    scratch.write_text(f"ATTACH DATABASE _ UUID '{uuid}'\nENGINE = Atomic\n", encoding="ascii")
    scratch.rename(file)
