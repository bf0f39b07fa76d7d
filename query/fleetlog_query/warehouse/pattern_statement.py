"""Statements with patterns: what one value costs is known before they run.

The engine looks at deadlines and cancellations between blocks of rows alone, and a pattern can take a second for one
long value. So the longest values are asked for first, and blocks are made as small as they and the patterns want.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog_core.warehouse.port import Answer, Statement

from fleetlog_query.language import patterns
from fleetlog_query.language.conditions import Leaf

BLOCK_STEPS = 8_000_000
"""Steps of patterns in one block: about 0.2 s, at 20 ns for one instruction and one byte."""
ENGINE_ROWS = 65_409
"""Rows of the engine's own blocks."""
LIGHT_ROWS = 1_000
"""Rows of a block below which a statement is costly: only a few such run at a time."""
_ALL_ROWS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PatternRead:
    """A pattern that values are compared with, or a text that is looked for in them: its steps for a byte of a value at
    most, and SQL for the bytes of the longest value."""

    steps: int
    longest: str


@dataclass(frozen=True, slots=True)
class PatternStatement(Statement):
    """A statement that compares values with patterns."""

    reads: tuple[PatternRead, ...] = ()

    def longest(self) -> Statement:
        """Statement of the bytes of the longest values, as l0, l1, …, one for each of the reads."""
        columns = ", ".join(f"toUInt64(ifNull({read.longest}, 0)) AS l{place}" for place, read in enumerate(self.reads))
        return Statement(f"SELECT {columns}", self.binds)

    def bounded(self, longest: Answer) -> Statement:
        """The statement, in blocks that take about 0.2 s at most."""
        steps = sum(read.steps * int(longest.array(f"l{place}")[0]) for place, read in enumerate(self.reads))
        rows = max(1, BLOCK_STEPS // max(1, steps))
        if rows >= ENGINE_ROWS:
            return Statement(self.sql, self.binds, self.wide)
        return Statement(self.sql, self.binds, self.wide and rows >= LIGHT_ROWS, block_rows=rows)


def cut_texts(columns: str, texts: str) -> str:
    """A SELECT of columns and of `text`, which is `t` of a SELECT of texts, in blocks of the size that is set.

    The engine reads whole granules, of thousands of rows, and looks at the deadline between blocks: ARRAY JOIN is what
    cuts them, and what depends on it is not worked out before it. Nor within it, where a block would only end at the
    first text that is found: no condition is moved across a LIMIT.
    """
    return f"SELECT {columns} FROM ({texts}) ARRAY JOIN [t] AS text LIMIT {_ALL_ROWS}"


def is_costly(statement: Statement) -> bool:
    """True if only a few of such statements run at a time."""
    return 0 < statement.block_rows < LIGHT_ROWS


def steps_of(leaf: Leaf) -> int:
    """Steps of a condition's pattern for a byte of a value at most; 0 = it costs no more than other comparisons."""
    if leaf.operator not in ("like", "ilike", "matches"):
        return 0
    pattern = str(leaf.values[0])
    if leaf.operator == "like":
        return 0 if patterns.is_plain(pattern) else patterns.program_size(patterns.like_expression(pattern))
    return patterns.program_size(pattern)
