"""A chart in text: braille dots, two across and four down in each character. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def chart(
    title: str, steps: Sequence[float], lows: Sequence[float], highs: Sequence[float], width: int = 80,
    height: int = 16, said: Callable[[float], str] = lambda step: f"{step:,.0f}", unit: str = "step ",
) -> str:  # fmt: skip
    """Draw one series, a vertical stroke from low to high at each step; what is not finite leaves a gap.

    `width` and `height` are characters, axes included. `said` writes a place on the axis, behind its `unit`.
    """
    points = [
        (x, low, high)
        for x, low, high in zip(steps, lows, highs, strict=True)
        if math.isfinite(low) and math.isfinite(high)
    ]
    if not points:
        return f"{title}: no numbers to draw"
    left, right = points[0][0], points[-1][0]
    bottom, top = min(low for _, low, _ in points), max(high for _, _, high in points)
    labels = [f"{top:.5g}", f"{(top + bottom) / 2:.5g}", f"{bottom:.5g}"]
    margin = max(map(len, labels)) + 1
    columns, rows = max(10, width - margin - 1), max(4, height - 3)
    cells = [[0] * columns for _ in range(rows)]
    span, rise = (right - left) or 1.0, (top - bottom) or 1.0
    before: tuple[int, int] | None = None
    for x, low, high in points:
        across = round((x - left) / span * (columns * 2 - 1))
        first = round((top - high) / rise * (rows * 4 - 1))
        last = round((top - low) / rise * (rows * 4 - 1))
        _stroke(cells, across, first, last)
        if before is not None:
            _line(cells, before, (across, (first + last) // 2))
        before = (across, (first + last) // 2)
    lines = [title.center(width).rstrip()]
    for place, row in enumerate(cells):
        label = {0: labels[0], rows // 2: labels[1], rows - 1: labels[2]}.get(place, "")
        lines.append(f"{label:>{margin}}│{''.join(chr(0x2800 + cell) for cell in row)}".rstrip())
    lines.append(" " * margin + "└" + "─" * columns)
    ends = said(left), f"{unit}{said(right)}"
    lines.append(" " * (margin + 1) + ends[0] + ends[1].rjust(columns - len(ends[0])))
    return "\n".join(lines)


def _stroke(cells: list[list[int]], across: int, first: int, last: int) -> None:
    for down in range(first, last + 1):
        cells[down // 4][across // 2] |= _DOTS[down % 4][across % 2]


def _line(cells: list[list[int]], start: tuple[int, int], end: tuple[int, int]) -> None:
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for place in range(length + 1):
        across = round(start[0] + (end[0] - start[0]) * place / length)
        down = round(start[1] + (end[1] - start[1]) * place / length)
        cells[down // 4][across // 2] |= _DOTS[down % 4][across % 2]
