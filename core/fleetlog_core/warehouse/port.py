"""The port of the warehouse: columns in, columns out, in ClickHouse's SQL.

Values are always bound (`{name:Type}` in the text, `binds` beside it); identifiers come from the code alone.

Columns, by the ClickHouse type of the table's column:

    UInt8 … UInt64, Int32, Int64, Float64    numpy array of that type
    DateTime64(3)                            numpy int64, Unix milliseconds
    FixedString(16), UInt128                 numpy V16 (raw bytes; UInt128 is little-endian)
    UInt256                                  numpy V32, little-endian
    LowCardinality(String)                   Coded on insert; list[str] or Coded on select, as the adapter has it
    String                                   list[str], list[bytes] on insert; list[str] on select
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fleetlog_core.unavailable import PartUnavailable

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of few distinct texts: `texts[codes[i]]` is row i. Codes are uint32."""

    codes: npt.NDArray[np.uint32]
    texts: Sequence[str]


Read = Array | Coded | list[str]
"""A column of an answer."""
Column = Array | Coded | Sequence[str] | Sequence[bytes]
Bind = str | int | float | Sequence[str] | Sequence[int] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` places, and their values.

    `wide`: it reads millions of rows, so it may use every core. What reads a few thousand is quicker in one thread:
    handing blocks from thread to thread costs more than the blocks. `threads`: maximum of a wide one, so that others
    have some of them; 0 = every core. `block_rows`: maximum of rows that are worked
    through before the engine looks at the deadline again, for what costs much a row; 0 = the engine's own. `mark`: by
    which it can be found while it runs (`log_comment` of its settings).
    """

    sql: str
    binds: Mapping[str, Bind] = field(default_factory=dict)
    wide: bool = False
    _: KW_ONLY
    threads: int = 0
    block_rows: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a select returned: columns by name, all of one length; and what it read.

    An answer without rows has no columns either: the format says nothing of them. The accessors know that.
    """

    columns: Mapping[str, Read]
    rows: int
    rows_read: int
    bytes_read: int

    def array(self, name: str) -> Array:
        """A column of numbers or of fixed bytes."""
        column = self.columns[name] if self.rows else np.empty(0)
        if isinstance(column, (list, Coded)):
            raise TypeError(f"column {name} is text")
        return column

    def texts(self, name: str) -> list[str]:
        """A column of text."""
        column = self.columns[name] if self.rows else []
        if isinstance(column, Coded):
            texts = column.texts
            return [texts[code] for code in column.codes.tolist()]
        if not isinstance(column, list):
            raise TypeError(f"column {name} is not text")
        return column

    def coded(self, name: str) -> Coded:
        """A column of text in which few are distinct, without an object for each row."""
        column = self.columns[name] if self.rows else []
        if isinstance(column, Coded):
            return column
        if not isinstance(column, list):
            raise TypeError(f"column {name} is not text")
        known: dict[str, int] = {}
        codes = [known.setdefault(text, len(known)) for text in column]
        return Coded(np.array(codes, np.uint32), list(known))


class WarehouseUnavailable(PartUnavailable):
    """The warehouse does not answer, or can't do it now; an insert may or may not have happened. Again, same token.

    Every error that is not known to speak of a row or of a statement is this one: a shortage of the machine, a fault of
    the engine, a table that is not migrated yet.
    """


class DatabaseMissing(WarehouseUnavailable):
    """The server is there, the database is not."""


class WarehouseRefused(Exception):
    """The warehouse understood and refused: an insert has a row that the table can't hold, a statement is wrong."""


class TooMuchToRead(WarehouseRefused):
    """A statement that says how much it may read would read more; nothing was read yet."""


class TimedOut(Exception):
    """The statement took longer than it was given; it was ended in the warehouse too."""


class Warehouse(Protocol):
    """Tables. Thread-safe; calls block."""

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """Run a SELECT. TimedOut, WarehouseUnavailable, WarehouseRefused, TooMuchToRead."""
        ...

    def insert(self, table: str, columns: Mapping[str, Column], token: str) -> None:
        """Append the rows as one block (at most 1,000,000 of them); columns that are not named get defaults.

        WarehouseRefused: a row can't be held, and never will be. WarehouseUnavailable: everything else.

        Atomic: all or none. The same token again on the same table does nothing, whatever the rows: a repeat after
        WarehouseUnavailable is safe. Once it returned, every later select sees the rows.
        """
        ...

    def execute(self, statement: Statement) -> None:
        """Run a statement without an answer: DDL."""
        ...

    def version(self, table: str) -> int | None:
        """Another number after each insert into the table; None when others may write too, so that nobody can tell.

        What a select that began later than a version was asked for found is the table's while that is its version:
        rows that are visible already and not counted yet are those of a read some microseconds later.
        """
        ...

    def close(self) -> None:
        """Let go. Idempotent."""
        ...
