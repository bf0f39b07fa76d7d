"""Curves of groups out of the buckets of their runs. Pure.

Each run counts once where it has a number, by the mean of its bucket, however many points that has. Where a run has
none nothing is made up for it: the count says of how many runs a mean is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """One group, by ascending places on the axis: runs that have a number there, and what these are."""

    xs: Whole
    counts: Whole
    means: Real
    """Means of the runs' means."""
    stds: Real
    """Sample standard deviations of the runs' means; NaN of one run."""
    mins: Real
    """Lowest values of any run."""
    maxs: Real


@dataclass
class Rows:
    """Buckets of runs, piece by piece."""

    groups: list[npt.NDArray[np.intp]] = field(default_factory=list)
    xs: list[Whole] = field(default_factory=list)
    means: list[Real] = field(default_factory=list)
    mins: list[Real] = field(default_factory=list)
    maxs: list[Real] = field(default_factory=list)

    def add(self, group: int, xs: Whole, means: Real, mins: Real, maxs: Real) -> None:
        """Buckets of a run of the group; those without a number are left out."""
        there = ~np.isnan(means)
        self.groups.append(np.full(int(there.sum()), group, np.intp))
        self.xs.append(xs[there])
        for column, values in ((self.means, means), (self.mins, mins), (self.maxs, maxs)):
            column.append(values[there])

    def curves(self, count: int) -> list[Curve]:
        """Curves of the groups from 0 to before `count`."""
        if not self.groups:
            return [_EMPTY] * count
        groups, xs = np.concatenate(self.groups), np.concatenate(self.xs)
        # By value last: then a sum is of the same numbers in the same order, whichever run was read first.
        means = np.concatenate(self.means)
        order = np.lexsort((means, xs, groups))
        groups, xs, means = groups[order], xs[order], means[order]
        mins, maxs = np.concatenate(self.mins)[order], np.concatenate(self.maxs)[order]
        new = np.ones(len(order), bool)
        new[1:] = (groups[1:] != groups[:-1]) | (xs[1:] != xs[:-1])
        begins = np.flatnonzero(new)
        all_curves = _reduced(begins, xs, means, mins, maxs)
        cuts = np.searchsorted(groups[begins], np.arange(count + 1))
        return [_part(all_curves, first, last) for first, last in pairwise(cuts.tolist())]


def _reduced(begins: npt.NDArray[np.intp], xs: Whole, means: Real, mins: Real, maxs: Real) -> Curve:
    if len(begins) == 0:
        return _EMPTY
    counts = np.diff(begins, append=len(xs)).astype(np.int64)
    places = np.repeat(np.arange(len(begins)), counts)
    # Infinite values make infinite means and no deviation: that is what they are.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found = np.add.reduceat(means, begins) / counts
        # Once more over what is left takes the rounding of the sum away: the mean of equal values is that value.
        rest = np.add.reduceat(means - found[places], begins) / counts
        found = found + np.where(np.isfinite(rest), rest, 0.0)
        stds = np.sqrt(np.add.reduceat((means - found[places]) ** 2, begins) / (counts - 1))
    stds[counts == 1] = np.nan
    lowest, highest = np.minimum.reduceat(mins, begins), np.maximum.reduceat(maxs, begins)
    return Curve(xs[begins], counts, found, stds, lowest, highest)


def _part(curve: Curve, first: int, last: int) -> Curve:
    part = slice(first, last)
    return Curve(
        curve.xs[part], curve.counts[part], curve.means[part], curve.stds[part], curve.mins[part], curve.maxs[part]
    )


_EMPTY = Curve(np.empty(0, np.int64), np.empty(0, np.int64), *(np.empty(0) for _ in range(4)))
Label = tuple[str | None, ...]
"""Values of the keys that make a group, as texts; None where the runs have none."""


def largest(labels: Sequence[Label], limit: int) -> dict[Label, int]:
    """The groups that most runs are in, each with its number; of as many the one with the lower values first."""
    counts: dict[Label, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    ordered = sorted(counts, key=lambda label: (-counts[label], [(one is None, one or "") for one in label]))
    return {label: number for number, label in enumerate(ordered[:limit])}
