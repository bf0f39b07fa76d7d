"""Runs in groups, and statistics of each group. Pure; columns in, columns out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.labels import Labels, Places

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Runs in the order of their ids: `values` (runs × objectives, no NaN), `groups` from 0 on without gaps, `starts`
    in Unix milliseconds."""

    values: Real
    groups: Places
    starts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Statistics:
    """For each group: number of runs, first start, lowest run (a place among the candidates); and by group and
    objective mean, sample standard deviation (NaN for one run), median, lowest and highest."""

    counts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    firsts: Places
    means: Real
    stds: Real
    medians: Real
    lows: Real
    highs: Real


def numbered(labels: Sequence[Labels], places: Places) -> Places:
    """Groups of runs: those with the same label (or none) of every kind have one number, from 0 without gaps."""
    groups = np.zeros(len(places), np.intp)
    for label in labels:
        # Without gaps after each kind, so that the product of their sizes stays small.
        _, groups = np.unique(groups * (len(label.texts) + 1) + label.codes[places] + 1, return_inverse=True)
    return groups


def kept(candidates: Candidates, min_count: int) -> tuple[Candidates, Places]:
    """Only the groups with so many runs, and the places where the runs that are left were."""
    counts = np.bincount(candidates.groups)
    places = np.flatnonzero(counts[candidates.groups] >= min_count)
    _, groups = np.unique(candidates.groups[places], return_inverse=True)
    return Candidates(candidates.values[places], groups, candidates.starts[places]), places


def statistics(candidates: Candidates) -> Statistics:
    """Statistics of every group; there is at least one candidate."""
    if len(candidates.groups) and int(candidates.groups.max()) + 1 == len(candidates.groups):
        return _alone(candidates)
    order = np.argsort(candidates.groups, kind="stable")
    groups, values = candidates.groups[order], candidates.values[order]
    begins = np.flatnonzero(np.diff(groups, prepend=-1))
    counts = np.diff(begins, append=len(groups))
    by_group = counts[:, None]
    lows, medians, highs = _ranked(candidates, begins, counts)
    # Infinite values make infinite means and no deviation: that is what they are.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        means = np.add.reduceat(values, begins) / by_group
        # Once more over what is left takes the rounding of the sum away: the mean of equal values is that value.
        rest = np.add.reduceat(values - means[groups], begins) / by_group
        means = means + np.where(np.isfinite(rest), rest, 0.0)
        squares = np.add.reduceat((values - means[groups]) ** 2, begins)
        stds = np.sqrt(squares / (by_group - 1))
    stds[counts == 1] = np.nan
    starts = np.minimum.reduceat(candidates.starts[order], begins)
    # The sort is stable and candidates are by id: the first of each group is its lowest.
    return Statistics(counts, starts, order[begins], means, stds, medians, lows, highs)


def _alone(candidates: Candidates) -> Statistics:
    """Every run is a group of its own."""
    order = np.argsort(candidates.groups)
    values, ones = candidates.values[order], np.ones(len(order), np.int64)
    return Statistics(
        ones, candidates.starts[order], order, values, np.full(values.shape, np.nan), values, values, values
    )


def _ranked(candidates: Candidates, begins: Places, counts: npt.NDArray[np.int64]) -> tuple[Real, Real, Real]:
    shape = (len(begins), candidates.values.shape[1])
    lows, medians, highs = np.empty(shape), np.empty(shape), np.empty(shape)
    for objective in range(shape[1]):
        column = candidates.values[:, objective]
        ranked = column[np.lexsort((column, candidates.groups))]
        lows[:, objective], highs[:, objective] = ranked[begins], ranked[begins + counts - 1]
        lower, upper = ranked[begins + (counts - 1) // 2], ranked[begins + counts // 2]
        with np.errstate(invalid="ignore"):
            # Halves first: the sum of two large numbers is none.
            medians[:, objective] = np.where(lower == upper, lower, lower * 0.5 + upper * 0.5)
    return lows, medians, highs
