"""Parts of columns replaced by what was read anew. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fleetlog_query.facets.segments import Span
from fleetlog_query.selection.meet import Ids, Places

Cut = tuple[int, int]
Element = TypeVar("Element", bound=np.generic)


def cuts_of(ids: Ids, spans: Sequence[Span]) -> list[Cut]:
    """The places of the ids of each span: the first, and the one behind the last."""

    def place(run_id: bytes) -> int:
        return bisect_left(range(len(ids)), run_id, key=ids.at)

    return [
        (place(span.since_id) if span.since_id else 0, place(span.until_id) if span.until_id else len(ids))
        for span in spans
    ]


def fits(cuts: Sequence[Cut], length: int, new_cuts: Sequence[Cut], new_length: int) -> bool:
    """Whether what is outside the cuts is as long as it was: runs come and never go, so they are the same then."""
    edges = [0, *[place for cut in cuts for place in cut], length]
    new_edges = [0, *[place for cut in new_cuts for place in cut], new_length]
    return bool(np.array_equal(np.diff(edges)[::2], np.diff(new_edges)[::2]))


def spliced_ids(old: Ids, cuts: Sequence[Cut], fresh: Ids, fresh_cuts: Sequence[Cut]) -> Ids:
    """The ids with those of the cuts replaced; the same object when nothing is another."""
    pairs = list(zip(cuts, fresh_cuts, strict=True))
    if all(old.raw[a:b].tobytes() == fresh.raw[c:d].tobytes() for (a, b), (c, d) in pairs):
        return old
    parts, begin = [], 0
    for (a, b), (c, d) in pairs:
        parts += [old.raw[begin:a], fresh.raw[c:d]]
        begin = b
    return Ids(np.concatenate([*parts, old.raw[begin:]]))


def spliced(
    old: npt.NDArray[Element], cuts: Sequence[Cut], length: int, new_cuts: Sequence[Cut], empty: float
) -> npt.NDArray[Element]:
    """A column of so many rows: what was outside the cuts, and `empty` inside."""
    new = np.full(length, empty, old.dtype)
    begin = new_begin = 0
    for (a, b), (c, d) in zip(cuts, new_cuts, strict=True):
        new[new_begin:c] = old[begin:a]
        begin, new_begin = b, d
    new[new_begin:] = old[begin:]
    return new


def met_inside(ids: Ids, cuts: Sequence[Cut], fresh: Ids) -> tuple[Places, Places]:
    """As ids.meet(fresh), for ids that are all inside the cuts."""
    if len(cuts) == 1 and cuts[0] == (0, len(ids)):
        return ids.meet(fresh)
    places = np.concatenate([np.arange(first, last) for first, last in cuts])
    rows, inside = Ids(ids.raw[places]).meet(fresh)
    return rows, places[inside]
