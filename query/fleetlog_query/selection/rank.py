"""Several objectives as one order. Pure; small is good throughout: what is to be large comes in negated.

Ties fall to the columns of `ties`, one after another, small first; the last of them is different for each candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetlog_query.column_cache.labels import Places

Real = npt.NDArray[np.float64]
Ties = Sequence[npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best candidates, the best first: their places; their fronts from 1 on, or their scores, where asked for."""

    places: Places
    fronts: list[int] | None = None
    scores: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Scale on which the best candidate's value is 0 and the worst one's 1, by objective; shares sum up to 1."""

    bests: Real
    widths: Real
    shares: Real

    @classmethod
    def of(cls, costs: Real, weights: Sequence[float]) -> Scale:
        """Scale by the finite values among the costs (candidates × objectives)."""
        finite = np.isfinite(costs)
        bests = np.min(costs, axis=0, where=finite, initial=np.inf)
        worsts = np.max(costs, axis=0, where=finite, initial=-np.inf)
        none = ~np.any(finite, axis=0)
        bests[none] = worsts[none] = 0.0
        widths = worsts - bests
        shares = np.array(weights) / sum(weights)
        return cls(bests, widths, shares)

    def scores(self, costs: Real) -> Real:
        """The weighted mean of the scaled costs; infinite ones count as the best or the worst."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            scaled = (costs - self.bests) / self.widths
        scaled = np.where(self.widths > 0, scaled, 0.0)
        scaled = np.where(np.isposinf(costs), 1.0, np.where(np.isneginf(costs), 0.0, scaled))
        scores: Real = scaled @ self.shares
        return scores


def lexicographic(costs: Real, ties: Ties, limit: int) -> Ranking:
    """The first objective decides, then the next."""
    return Ranking(_in_order(costs, ties)[:limit])


def weighted(costs: Real, scale: Scale, ties: Ties, limit: int) -> Ranking:
    """The score decides."""
    scores = scale.scores(costs)
    places = _in_order(scores[:, None], ties)[:limit]
    return Ranking(places, scores=scores[places].tolist())


def pareto(costs: Real, ties: Ties, limit: int) -> Ranking:
    """Front by front; within one as lexicographic."""
    order = _in_order(costs, ties)
    places: list[int] = []
    fronts: list[int] = []
    front = 1
    while len(places) < limit and len(order):
        # Whoever dominates a candidate stands before it in this order, so the first that nobody of this front
        # dominates is of this front; and what it dominates is of a later one.
        left, later = order, [np.empty(0, np.intp)]
        columns = [costs[left, objective] for objective in range(costs.shape[1])]
        while len(left) and len(places) < limit:
            places.append(int(left[0]))
            fronts.append(front)
            worse = _dominated(columns)
            later.append(left[worse])
            worse[0] = True
            left, columns = left[~worse], [column[~worse] for column in columns]
        behind = np.zeros(len(costs), np.bool_)
        behind[np.concatenate(later)] = True
        order, front = order[behind[order]], front + 1
    return Ranking(np.array(places, np.intp), fronts=fronts)


def _dominated(columns: Sequence[Real]) -> npt.NDArray[np.bool_]:
    """True for those that the first one dominates; it is the lowest of all by the first objective."""
    above = columns[0] > columns[0][0]
    no_better = np.ones(len(above), np.bool_)
    for column in columns[1:]:
        no_better &= column >= column[0]
        above |= column > column[0]
    dominated: npt.NDArray[np.bool_] = no_better & above
    return dominated


def _in_order(costs: Real, ties: Ties) -> Places:
    return np.lexsort((*reversed(ties), *costs.T[::-1]))
