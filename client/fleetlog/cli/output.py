"""How answers are printed: a table on a terminal, tab-separated lines in a pipe, JSON on request."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fleetlog_core.printable import printable, printable_json, printable_lines
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleetlog.cli.layout import GAP, fit
from fleetlog.cli.words import exact, human

IDS = ("id", "run_id", "parent_run_id")
"""Never cut: they are there to be copied."""


def on_terminal() -> bool:
    """Whether a person reads what is printed."""
    return sys.stdout.isatty()


def width() -> int:
    """Characters in a line."""
    return shutil.get_terminal_size((80, 24)).columns if on_terminal() else 80


def jsonable(value: Any) -> Any:
    """For JSON, which has no NaN and no infinity: they become texts. Times are in UTC, spans in seconds."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, datetime):
        return exact(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {key: jsonable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(one) for one in value]
    return value


def json_text(value: Any, indent: int | None = None) -> str:
    """Exact JSON without hidden characters; all of it ASCII where what is printed to knows no more."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return printable_json(json.dumps(jsonable(value), indent=indent, ensure_ascii=not unicode))


def print_json(value: Any) -> None:
    """Indented on a terminal, one line in a pipe."""
    print(json_text(value, indent=2 if on_terminal() else None))


def say(text: str) -> None:
    """A remark for a person, beside the answer."""
    print(printable_lines(text), file=sys.stderr)


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, fold: bool = False, titles: Sequence[str] = ()
) -> None:
    """A table that fits the terminal, or tab-separated lines below a header.

    What is too long is cut, and columns that find no room are left out and named; with `fold` it goes on in the next
    line instead. `titles` stand above the columns on a terminal.
    """
    rows = list(rows)
    if not on_terminal():
        print("\t".join(map(printable, columns)))
        for row in rows:
            print("\t".join(map(exact, row)))
        return
    heads = list(titles or columns)
    table, shown = table_of(columns, rows, heads, fold=fold)
    # Without a height, rich takes 80 columns for granted where TERM is dumb.
    Console(width=width(), height=25, highlight=False).print(table)
    if shown < len(heads):
        say(f"no room for {', '.join(heads[shown:])}: a wider terminal shows them, or --json")


def table_of(
    columns: Sequence[str], rows: Sequence[Sequence[object]], heads: Sequence[str], *, fold: bool = False,
    styles: Sequence[str] = (),
) -> tuple[Table, int]:  # fmt: skip
    """The table of print_rows, and how many of its columns found room. `styles` are of its rows."""
    now = datetime.now(UTC)
    heads = [printable(head) for head in heads]
    cells = [[human(value, now) for value in row] for row in rows]
    kinds = [{type(row[place]) for row in rows} - {type(None)} for place in range(len(heads))]
    right = [bool(kind) and kind <= {float, int, timedelta} for kind in kinds]
    table = Table(box=None, show_header=any(heads), header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    shown = len(heads)
    if fold:
        for place, head in enumerate(heads):
            table.add_column(Text(head), overflow="fold", no_wrap=place == 0)
    else:
        widths = [max([cell_len(head), *(cell_len(row[place]) for row in cells)]) for place, head in enumerate(heads)]
        # A number that is cut is another number.
        whole = [right[place] or columns[place] in IDS for place in range(len(heads))]
        fitting = fit(widths, whole, width())
        shown = len(fitting)
        for place, wide in enumerate(fitting):
            table.add_column(Text(heads[place]), width=wide, no_wrap=True, overflow="ellipsis")
            table.columns[-1].justify = "right" if right[place] else "left"
    for row, style in zip(cells, styles or [""] * len(cells), strict=True):
        table.add_row(*[Text(cell) for cell in row[:shown]], style=style)
    return table, shown
