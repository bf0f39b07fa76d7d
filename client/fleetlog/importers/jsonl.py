"""JSON lines that are made when a file is opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

_IN_MEMORY = 8 * 1024 * 1024


def json_lines(lines: Callable[[], Iterable[Mapping[str, Any]]]) -> Callable[[], BinaryIO]:
    """Opens a file with a line for each mapping; a large one stands on the disk."""

    def opened() -> BinaryIO:
        spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - whoever reads it closes it
        for line in lines():
            spool.write(json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")
        spool.seek(0)
        return cast(BinaryIO, spool)

    return opened
