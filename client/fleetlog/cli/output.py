"""How answers are printed: a table on a terminal, tab-separated lines in a pipe, JSON on request."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table


def plain(value: object) -> str:
    """A value as text: reals in six digits, times in seconds."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def jsonable(value: Any) -> Any:
    """For JSON, which has no NaN and no infinity: they become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: jsonable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [jsonable(one) for one in value]
    return value


def print_json(value: Any) -> None:
    """Indented on a terminal, one line in a pipe."""
    print(json.dumps(jsonable(value), indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table, or tab-separated lines below a header."""
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(plain(value).replace("\t", " ").replace("\n", " ") for value in row))
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*[plain(value) for value in row])
    Console().print(table)
