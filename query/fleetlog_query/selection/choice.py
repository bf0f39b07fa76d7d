"""The choice itself: columns of candidates in, the best groups out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_proto.v1 import selection_pb2

from fleetlog_query.column_cache.labels import Places
from fleetlog_query.selection.groups import Candidates, Statistics, kept, numbered, statistics
from fleetlog_query.selection.question import Question
from fleetlog_query.selection.rank import Ranking, Scale, lexicographic, pareto, weighted
from fleetlog_query.selection.reading import Columns

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """Counts of the runs that came to a constraint, and of those that it put aside."""

    constraint: str
    asked: int
    put_aside: int


@dataclass(frozen=True)
class Chosen:
    """One group: its number among `Choice.statistics`, and its best runs as places in the columns."""

    group: int
    runs: list[int]
    values: list[float]
    tie: str
    """Reason why it comes behind the one before, when nothing else tells them apart; else ""."""


@dataclass(frozen=True)
class Choice:
    """Groups that were chosen, in order, and out of what."""

    groups: list[Chosen]
    ranking: Ranking
    statistics: Statistics | None
    verdicts: list[Verdict]
    candidates: int
    compared: int

    @property
    def groups_compared(self) -> int:
        """Count of groups that there were to choose from."""
        return 0 if self.statistics is None else len(self.statistics.counts)


def choose(question: Question, columns: Columns) -> Choice:
    """Put aside, group, compare."""
    count = len(columns.starts)
    places, verdicts = _asked(question, columns)
    groups = numbered(columns.labels, places) if question.groups else np.arange(len(places))
    left = Candidates(columns.values[places], groups, columns.starts[places])
    if question.min_count > 1:
        left, inside = kept(left, question.min_count)
        few = len(places) - len(inside)
        verdicts.append(Verdict(f"groups of at least {question.min_count} runs", len(places), few))
        places = places[inside]
    if not len(places):
        return Choice([], Ranking(np.empty(0, np.intp)), None, verdicts, count, 0)
    found = statistics(left)
    signs = np.array([-1.0 if objective.maximize else 1.0 for objective in question.objectives])
    costs = _standing(question, found, signs) * signs
    scale = Scale.of(costs, [objective.weight for objective in question.objectives])
    ties = (-found.counts, found.starts, found.firsts.astype(np.int64))
    if question.mode == selection_pb2.OBJECTIVE_MODE_PARETO:
        ranking = pareto(costs, ties, question.limit)
    elif question.mode == selection_pb2.OBJECTIVE_MODE_WEIGHTED:
        ranking = weighted(costs, scale, ties, question.limit)
    else:
        ranking = lexicographic(costs, ties, question.limit)
    chosen: list[Chosen] = []
    members = _members(left.groups, ranking.places)
    for rank, group in enumerate(ranking.places.tolist()):
        tie = _tie(found, ranking, costs, rank) if rank else ""
        best = _best(question, left, members[rank], signs, scale)
        values = (costs[group] * signs).tolist()
        chosen.append(Chosen(group, [int(places[place]) for place in best], values, tie))
    return Choice(chosen, ranking, found, verdicts, count, len(places))


def _asked(question: Question, columns: Columns) -> tuple[Places, list[Verdict]]:
    """The runs that are left by constraints and objectives, and what each of them put aside."""
    names = [text for text, _ in question.parts]
    if question.artifact:
        names.append(f"has the artifact {question.artifact}")
    put_aside = np.bincount(columns.stages, minlength=len(names) + 1)
    asked = len(columns.stages)
    verdicts: list[Verdict] = []
    for place, name in enumerate(names, 1):
        verdicts.append(Verdict(name, asked, int(put_aside[place])))
        asked -= int(put_aside[place])
    places = np.flatnonzero(columns.stages == 0)
    for number, objective in enumerate(question.objectives):
        there = ~np.isnan(columns.values[places, number])
        verdicts.append(Verdict(f"{objective.text} is a number", len(places), int((~there).sum())))
        places = places[there]
    return places, verdicts


def _standing(question: Question, found: Statistics, signs: Real) -> Real:
    """Values that stand for each group."""
    small, large = found.lows, found.highs
    if question.statistic == selection_pb2.GROUP_STATISTIC_MEDIAN:
        return found.medians
    if question.statistic == selection_pb2.GROUP_STATISTIC_BEST:
        return np.where(signs > 0, small, large)
    if question.statistic == selection_pb2.GROUP_STATISTIC_WORST:
        return np.where(signs > 0, large, small)
    return found.means


def _members(groups: Places, wanted: Places) -> list[Places]:
    """The candidates of each group that is wanted."""
    order = np.argsort(groups, kind="stable")
    begins = np.searchsorted(groups[order], wanted)
    ends = np.searchsorted(groups[order], wanted, side="right")
    return [order[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]


def _best(question: Question, left: Candidates, members: Places, signs: Real, scale: Scale) -> list[int]:
    costs, ties = left.values[members] * signs, (left.starts[members], members.astype(np.int64))
    if question.mode == selection_pb2.OBJECTIVE_MODE_WEIGHTED:
        ranking = weighted(costs, scale, ties, question.runs_per_group)
    else:
        ranking = lexicographic(costs, ties, question.runs_per_group)
    best: list[int] = members[ranking.places].tolist()
    return best


def _tie(found: Statistics, ranking: Ranking, costs: Real, rank: int) -> str:
    """Reason why the candidate comes behind the one before it, when objectives don't tell them apart."""
    one, other = int(ranking.places[rank - 1]), int(ranking.places[rank])
    if ranking.scores is not None:
        level = ranking.scores[rank - 1] == ranking.scores[rank]
    else:
        level = bool(np.array_equal(costs[one], costs[other]))
    if not level:
        return ""
    if found.counts[one] != found.counts[other]:
        return "fewer runs"
    return "a later start" if found.starts[one] != found.starts[other] else "a higher run id"
