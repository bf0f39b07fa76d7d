"""Why a group was kept, in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import selection_pb2

from fleetlog_query.selection.question import Question

_STATISTICS = {
    selection_pb2.GROUP_STATISTIC_MEAN: "mean",
    selection_pb2.GROUP_STATISTIC_MEDIAN: "median",
    selection_pb2.GROUP_STATISTIC_BEST: "best value",
    selection_pb2.GROUP_STATISTIC_WORST: "worst value",
}


def reason_of(
    question: Question, rank: int, compared: int, values: Sequence[float], before: Sequence[float] | None,
    front: int | None, score: float | None, tie: str,
) -> str:  # fmt: skip
    """The sentence. `values` by objective, `before` those of the rank before; `tie`: by what it comes behind that."""
    what = "groups" if question.groups else "runs"
    said = [f"{_way(question, place)} ({value:.6g})" for place, value in enumerate(values)]
    if score is not None:
        by = f"score {score:.4g}, the weighted mean of {_joined(said)}, each from 0 (best) to 1 (worst)"
    elif front is not None:
        beaten = "nothing is better in one and as good in the rest" if front == 1 else f"beaten by front {front - 1}"
        by = f"front {front}, {beaten}, in {_joined(said)}"
    else:
        by = ", then ".join(said)
    place = "the best" if rank == 1 else f"number {rank}"
    if tie:
        return f"{place} of {compared:,} {what}, level with number {rank - 1} and behind it by {tie}: {by}"
    if before is not None and score is None and front is None and values[0] != before[0]:
        by += f"; number {rank - 1} has {before[0]:.6g}"
    return f"{place} of {compared:,} {what} by {by}"


def _way(question: Question, place: int) -> str:
    objective = question.objectives[place]
    way = "highest" if objective.maximize else "lowest"
    statistic = f"{_STATISTICS[selection_pb2.GroupStatistic.ValueType(question.statistic)]} of "
    return f"{way} {statistic if question.groups else ''}{objective.text}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
