"""Which columns of a table fit a line, and how wide each of them is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

GAP = 2
NARROW = 12
"""A text is cut down to so many characters at the most before a column is left out."""


def fit(widths: Sequence[int], whole: Sequence[bool], room: int) -> list[int]:
    """The widths of the first columns, as many as fit. `whole` ones are not cut; the first is always there."""
    for count in range(len(widths), 1, -1):
        narrow = list(widths[:count])
        over = sum(narrow) + GAP * (count - 1) - room
        while over > 0:
            cut = max(
                (place for place in range(count) if not whole[place] and narrow[place] > NARROW),
                key=lambda place: narrow[place],
                default=None,
            )
            if cut is None:
                break
            narrow[cut] -= 1
            over -= 1
        if over <= 0:
            return narrow
    return list(widths[:1])
