"""Scalars of many events at once. The mark: a reader that alone reads more than a million points a second.

Events of one length are a matrix. What one of them tells is walked through (layouts.py); those that differ from it in
nothing but time, step and values are then columns of that matrix. Whatever is built otherwise is left for events.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetlog.importers import crc32c
from fleetlog.importers.tensorboard.layouts import DOUBLE, Layout, layout_of

ROUNDS = 32
"""Layouts that are tried for the events of one length; what is left then is read one by one."""
_FACTORS = np.random.default_rng(0).integers(1, 2**63, 1 + crc32c.BLOCK // 8, np.uint64) * np.uint64(2) + np.uint64(1)
"""What makes one number of a row's words: rows of different numbers differ, and those of one are compared."""
_STEP_BITS = np.uint8(0x80)
"""Bits of a step's bytes that belong to the layout: whether one more byte follows."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scalars:
    """Scalars of one tag."""

    tag: bytes
    places: Ints
    """Which event of the chunk each comes from."""
    steps: Ints
    wall_times: Floats
    """Seconds since 1970, as the file has them."""
    values: Floats


def scalars_of(places: Ints, rows: Bytes) -> tuple[list[Scalars], Ints]:
    """Scalars of events of one length, and the places of those events that have to be read by themselves."""
    found: list[Scalars] = []
    others: list[Ints] = []
    if rows.shape[1] > crc32c.BLOCK:
        return [], places
    rounds = 0
    while len(places) and rounds < ROUNDS:
        layout = layout_of(rows[0].tobytes())
        rounds += 1
        if layout is None:
            others.append(places[:1])
            places, rows = places[1:], rows[1:]
            continue
        is_read = np.zeros(len(places), bool)
        for members, proven in _alike(rows, layout):
            if proven is not None:
                found += _read(places[members], rows, members, proven)
                is_read[members] = True
        if is_read.all():
            places = places[:0]
        else:
            places, rows = places[~is_read], rows[~is_read]
    others.append(places)
    return found, np.concatenate(others)


def _alike(rows: Bytes, layout: Layout) -> Iterator[tuple[Ints, Layout | None]]:
    """Rows that differ in nothing but the numbers of the layout, by group, and their layout if it is as that."""
    count, length = rows.shape
    padded = np.zeros((count, -(-length // 8) * 8), np.uint8)
    np.bitwise_and(rows, _constant(length, layout), out=padded[:, :length])
    words = padded.view(np.uint64)
    sums = words @ _FACTORS[: words.shape[1]]
    if (sums == sums[0]).all():
        groups = [np.arange(count)]
    else:
        order = np.argsort(sums, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(sums[order])) + 1)
    for group in groups:
        own = layout_of(rows[group[0]].tobytes())
        same = group[(words[group] == words[group[0]]).all(axis=1)]
        yield same, own if own is not None and _has_places_of(own, layout) else None


def _constant(length: int, layout: Layout) -> Bytes:
    """Bits that are the same in all events of a layout."""
    mask = np.full(length, 0xFF, np.uint8)
    if layout.wall_time_at is not None:
        mask[layout.wall_time_at : layout.wall_time_at + 8] = 0
    if layout.step_at is not None:
        mask[layout.step_at : layout.step_at + layout.step_bytes] = _STEP_BITS
    for scalar in layout.scalars:
        mask[scalar.at : scalar.at + (8 if scalar.kind == DOUBLE else 4)] = 0
    return mask


def _has_places_of(own: Layout, layout: Layout) -> bool:
    return (own.wall_time_at, own.step_at, own.step_bytes) == (
        layout.wall_time_at, layout.step_at, layout.step_bytes
    ) and [(one.at, one.kind) for one in own.scalars] == [(one.at, one.kind) for one in layout.scalars]  # fmt: skip


def _read(places: Ints, rows: Bytes, members: Ints, layout: Layout) -> Iterator[Scalars]:
    steps, walls = _steps(rows, members, layout), _numbers(rows, members, layout.wall_time_at, DOUBLE)
    for scalar in layout.scalars:
        yield Scalars(scalar.tag, places, steps, walls, _numbers(rows, members, scalar.at, scalar.kind))


def _numbers(rows: Bytes, members: Ints, at: int | None, kind: str) -> Floats:
    if at is None:
        return np.zeros(len(members))
    size = 8 if kind == DOUBLE else 4
    with np.errstate(invalid="ignore"):  # of NaNs that signal
        return np.ascontiguousarray(rows[:, at : at + size][members]).view(kind)[:, 0].astype(np.float64)


def _steps(rows: Bytes, members: Ints, layout: Layout) -> Ints:
    steps = np.zeros(len(members), np.uint64)
    for place in range(layout.step_bytes):
        byte = rows[members, (layout.step_at or 0) + place] & np.uint8(0x7F)
        steps |= byte.astype(np.uint64) << np.uint64(7 * place)
    return steps.view(np.int64)
