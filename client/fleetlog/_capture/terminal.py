"""Output as lines, as a terminal would show them in the end: a progress bar that is drawn again and again is one line.

Pure. Rows stay open while something above may still be drawn again (several bars move the cursor up); the oldest row
of more than OPEN_ROWS is closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN_ROWS = 24
"""Rows that the cursor can go back to."""
LINE_CHARACTERS = 4_000
"""Maximum of a line; what is behind it is cut."""
_CUT = " … cut"
_CONTROL = re.compile(r"\r|\n|\x08|\x1b\[([0-9;?]*)([ -/]*[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_]")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*|\][^\x07\x1b]{0,200})?\Z")


@dataclass(slots=True)
class Line:
    """One line, and the Unix milliseconds of its first character."""

    millis: int
    text: str = ""


class Terminal:
    """One stream's output."""

    def __init__(self) -> None:
        self._rows: list[Line] = []
        self._row = 0
        self._column = 0
        self._rest = ""
        """Begin of a control sequence, of which the end is still to come."""

    def feed(self, text: str, millis: int) -> list[Line]:
        """The lines that nothing can change any more."""
        text, self._rest = self._rest + text, ""
        if unfinished := _UNFINISHED.search(text):
            text, self._rest = text[: unfinished.start()], unfinished[0]
        place = 0
        for found in _CONTROL.finditer(text):
            self._write(text[place : found.start()], millis)
            self._obey(found, millis)
            place = found.end()
        self._write(text[place:], millis)
        closed = max(0, min(len(self._rows) - OPEN_ROWS, self._row))
        lines, self._rows = self._rows[:closed], self._rows[closed:]
        self._row -= closed
        return lines

    def open_lines(self) -> list[Line]:
        """Returns copies of the rows that may still change."""
        return [Line(row.millis, row.text) for row in self._rows if row.text]

    def close(self) -> list[Line]:
        """The rest of the lines."""
        lines, self._rows, self._row, self._column = self._rows, [], 0, 0
        while lines and not lines[-1].text:
            lines.pop()
        return lines

    def _write(self, text: str, millis: int) -> None:
        if not text:
            return
        while len(self._rows) <= self._row:
            self._rows.append(Line(millis))
        row = self._rows[self._row]
        end = self._column + len(text)
        if not row.text:
            row.millis = millis
        if end <= LINE_CHARACTERS:
            row.text = row.text[: self._column].ljust(self._column) + text + row.text[end:]
        elif self._column <= LINE_CHARACTERS:
            row.text = (row.text[: self._column].ljust(self._column) + text)[:LINE_CHARACTERS] + _CUT
        self._column = end

    def _obey(self, found: re.Match[str], millis: int) -> None:
        sign, command = found[0], found[2]
        if sign == "\n":
            while len(self._rows) <= self._row:
                self._rows.append(Line(millis))
            self._row, self._column = self._row + 1, 0
        elif sign == "\r":
            self._column = 0
        elif sign == "\x08":
            self._column = max(0, self._column - 1)
        elif command in ("A", "F"):
            self._row = max(0, self._row - self._count(found))
            self._column = 0 if command == "F" else self._column
        elif command in ("B", "E"):
            self._row = min(self._row + self._count(found), max(len(self._rows), self._row))
            self._column = 0 if command == "E" else self._column
        elif command == "G":
            self._column = min(self._count(found) - 1, LINE_CHARACTERS)
        elif command == "K" and self._row < len(self._rows):
            row = self._rows[self._row]
            row.text = "" if found[1] == "2" else row.text[: self._column] if found[1] != "1" else row.text

    @staticmethod
    def _count(found: re.Match[str]) -> int:
        return max(1, int(found[1])) if found[1].isdecimal() and len(found[1]) < 5 else 1
