"""HTML as notebooks show it: tables, links and small curves, without scripts, on a light and on a dark ground. Pure.

Whatever texts hold is text: hidden characters are escaped, and so is what HTML would take for its own.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from fleetlog_core.printable import printable

WIDTH, HEIGHT, EDGE = 120, 22, 2
"""Pixels of a curve; EDGE of them are left free around it."""
_CELL = "text-align:left;padding:2px 10px;white-space:nowrap"
_LINE = "border-top:1px solid rgba(128,128,128,.3)"
_QUIET = "opacity:.65"
TEXT_CHARACTERS = 60
"""Characters of a text that are shown; the whole of it stands in its title."""


def text(value: object) -> str:
    """A text, cut where it is long."""
    whole = printable(str(value))
    if len(whole) <= TEXT_CHARACTERS:
        return html.escape(whole)
    return f'<span title="{html.escape(whole)}">{html.escape(whole[: TEXT_CHARACTERS - 1])}…</span>'


def number(value: object) -> str:
    """A real number with four significant digits, the whole of it in its title; anything else as text."""
    if not isinstance(value, float) or not math.isfinite(value):
        return text(value)
    return f'<span title="{value!r}">{value:.4g}</span>'


def link(url: str, shown: str) -> str:
    """A link in markup; without an address what it would show."""
    if not url:
        return shown
    # Not every notebook has a colour for links on its dark ground.
    return f'<a href="{html.escape(url)}" target="_blank" rel="noopener" style="color:inherit">{shown}</a>'


def quiet(value: object) -> str:
    """A text that stands back."""
    return f'<span style="{_QUIET}">{text(value)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of markup; `head` are texts, empty = no head."""
    heads = "".join(f'<th style="{_CELL};{_QUIET}">{text(one)}</th>' for one in head)
    lines = [f"<thead><tr>{heads}</tr></thead>"] if head else []
    for row in rows:
        cells = "".join(f'<td style="{_CELL};{_LINE}">{cell}</td>' for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">{"".join(lines)}</table>'


def block(title: str, *parts: str) -> str:
    """A line of markup with parts below it."""
    return f'<div><div style="padding:4px 10px">{title}</div>{"".join(parts)}</div>'


def curve(values: Sequence[float], name: str) -> str:
    """A line through values at equal distances, from the lowest to the highest; what is no number breaks it."""
    numbers = [value for value in values if math.isfinite(value)]
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    across, up = (WIDTH - 2 * EDGE) / max(len(values) - 1, 1), HEIGHT - 2 * EDGE
    lines: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if not math.isfinite(value):
            lines.append([])
            continue
        # Halves: the difference of two large numbers may be more than a number can be.
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        lines[-1].append(f"{EDGE + across * place:.1f},{HEIGHT - EDGE - up * share:.1f}")
    drawn = "".join(_line(points) for points in lines if points)
    title = html.escape(printable(f"{name}: {low:.4g} to {high:.4g}"))
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"'
        f' style="vertical-align:middle"><title>{title}</title>{drawn}</svg>'
    )


def _line(points: Sequence[str]) -> str:
    if len(points) == 1:
        x, _, y = points[0].partition(",")
        return f'<circle cx="{x}" cy="{y}" r="1.5" fill="currentColor"/>'
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="currentColor" stroke-width="1.2"/>'
