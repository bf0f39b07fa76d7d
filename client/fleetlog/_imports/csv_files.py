"""Tables of runs in CSV, as other tools write it.

The cells are parted by comma, semicolon, tab or bar, whichever gives the header the most names. A byte order mark says
UTF-8 or UTF-16; another encoding is named by who knows it. An empty cell is no value; lines without any value, cells
behind the last column that are empty, and columns without a name (an index that pandas wrote) are passed over. A column
is of whole numbers, of numbers or of truths when all its values are.
"""

from __future__ import annotations

import csv
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleetlog_core.errors import shown

from fleetlog._imports.text_files import open_text

DELIMITERS = ",;\t|"
Cells = dict[str, list[str | None]]
_CELL_CHARACTERS = 1 << 30
_one_at_a_time = threading.Lock()


def read_csv(path: Path, encoding: str | None, rename: Callable[[Cells], Cells]) -> dict[str, Sequence[Any]]:
    """The columns of a CSV file. ValueError names the line that can't be read, or an encoding that is none.

    `rename`: gives columns, whose cells are texts still, other names, which say of what type they are.
    """
    try:
        with large_cells(), open_text(path, encoding) as file:
            delimiter = delimiter_of(file.readline())
            file.seek(0)
            rows = csv.reader(file, delimiter=delimiter)
            try:
                texts = rename(_columns(path, rows, lambda: rows.line_num))
                return {name: _typed(name, cells, delimiter == ";") for name, cells in texts.items()}
            except csv.Error as error:
                raise ValueError(f"{path.name}:{rows.line_num}: {error}") from None
    except LookupError:
        raise ValueError(f"{shown(encoding or '')} is no encoding; give one such as cp1252 or latin-1") from None
    except UnicodeError:
        is_what = f"it is not {encoding}" if encoding else "it is neither UTF-8 nor UTF-16 with a byte order mark"
        raise ValueError(f"{path.name}: {is_what}; save it as UTF-8, or name its encoding, such as cp1252") from None
    except EOFError:
        raise ValueError(f"{path.name}: it is compressed, and cut off") from None


@contextmanager
def large_cells() -> Iterator[None]:
    """The csv module refuses cells of more than 131,072 characters, by a limit of the whole process."""
    with _one_at_a_time:
        before = csv.field_size_limit(_CELL_CHARACTERS)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def delimiter_of(head: str) -> str:
    """The one that gives the header the most names, a comma when several do."""
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([head], delimiter=delimiter), ())))


def _columns(path: Path, rows: Iterable[list[str]], line: Callable[[], int]) -> Cells:
    lines = iter(rows)
    head = [name.strip() for name in next(lines, ())]
    if not any(head):
        raise ValueError(f"{path.name}: there is no header line; its names are such as params.lr,metrics.loss")
    named = [place for place, name in enumerate(head) if name]
    names = [head[place] for place in named]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path.name}: the column {shown(twice)} stands twice")
    cells: list[list[str | None]] = [[] for _ in named]
    begin = line() + 1
    for row in lines:
        if not any(map(str.strip, row)):
            begin = line() + 1
            continue
        if len(row) < len(head) or any(row[len(head) :]):
            where = f"{path.name}:{begin}" + (f" to {line()} (is a quote left open?)" if line() > begin else "")
            raise ValueError(f"{where}: {len(row)} cells, the header has {len(head)}")
        for column, place in zip(cells, named, strict=True):
            column.append(row[place] or None)
        begin = line() + 1
    return dict(zip(names, cells, strict=True))


def _typed(name: str, cells: list[str | None], comma: bool) -> Sequence[Any]:
    if name.startswith("metrics."):
        return [None if cell is None else _number(cell, comma) for cell in cells]
    if not name.startswith(("params.", "steps.")):
        return cells
    kinds: list[Callable[[str], Any]] = [_whole, _real, _truth]
    if comma:
        kinds.insert(2, lambda cell: _real(_with_point(cell)))
    for kind in kinds:
        try:
            return [None if cell is None else kind(cell) for cell in cells]
        except ValueError:
            continue
    return cells


def _whole(cell: str) -> int:
    number = int(cell)
    if str(number) != cell:
        raise ValueError(cell)
    return number


def _number(cell: str, comma: bool) -> float | str:
    """The number of a cell, or the cell that is none: it is left out by itself."""
    for convert in (_real, lambda cell: _real(_with_point(cell))) if comma else (_real,):
        try:
            return convert(cell)
        except ValueError:
            continue
    return cell


def _with_point(cell: str) -> str:
    """A number with a decimal comma, as where ";" is between cells."""
    if not re.fullmatch(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", cell, re.ASCII):
        raise ValueError(cell)
    return cell.replace(",", ".")


def _real(cell: str) -> float:
    """Not for "007" and "1_000", which are texts."""
    if "_" in cell or re.match(r"[+-]?0[0-9]", cell):
        raise ValueError(cell)
    return float(cell)


def _truth(cell: str) -> bool:
    if cell.lower() not in ("true", "false"):
        raise ValueError(cell)
    return cell.lower() == "true"
