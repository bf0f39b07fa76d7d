"""JSON lines that are made when a file is opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

from fleetlog.importers.spool import spooled


def json_lines(lines: Callable[[], Iterable[Mapping[str, Any]]]) -> Callable[[], BinaryIO]:
    """Opens a file with a line for each mapping; a large one stands on the disk."""
    return lambda: spooled(
        json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n" for line in lines()
    )
