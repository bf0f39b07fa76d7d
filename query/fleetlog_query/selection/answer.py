"""SelectRuns: reads the candidates, lets them be chosen, and says what was chosen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext

from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import run_pb2, selection_pb2

from fleetlog_query.changes.moments import now_of
from fleetlog_query.column_cache.scope_columns import HeldColumns, ScopeColumns
from fleetlog_query.runs.documents import Documents
from fleetlog_query.selection.choice import Choice, Chosen, choose
from fleetlog_query.selection.groups import Statistics
from fleetlog_query.selection.question import Question, question_of
from fleetlog_query.selection.reading import Columns, read_candidates
from fleetlog_query.selection.reasons import reason_of
from fleetlog_query.selection.student import two_sided
from fleetlog_query.sql.scope import Scope


class Selector:
    """Answers for the runs of a scope whose experiments are resolved."""

    def __init__(
        self, warehouse: Warehouse, documents: Documents, held: HeldColumns, clock: Callable[[], float] = time.time
    ) -> None:
        self._warehouse = warehouse
        self._documents = documents
        self._held = held
        self._clock = clock

    def select(self, request: selection_pb2.SelectRunsRequest, scope: Scope) -> selection_pb2.SelectRunsResponse:
        """See the proto; without the position."""
        now = now_of(request.scope.as_of)
        question = question_of(request, self._clock() * 1000 if now is None else now)
        if not scope.experiments:
            return selection_pb2.SelectRunsResponse()
        # What was is read once, and is not what will be asked next.
        with nullcontext(ScopeColumns(scope)) if scope.as_of is not None else self._held.of(scope) as held:
            columns = read_candidates(question, scope, held, self._warehouse.select)
        choice = choose(question, columns)
        named = [columns.ids.at(place) for chosen in choice.groups for place in chosen.runs]
        runs = self._documents.read(scope.namespace, named, question.mask, False, scope.as_of)
        return _response(question, columns, choice, {run.run_id: run for run in runs})


def _response(
    question: Question, columns: Columns, choice: Choice, runs: dict[str, run_pb2.Run]
) -> selection_pb2.SelectRunsResponse:
    response = selection_pb2.SelectRunsResponse(
        candidates=choice.candidates,
        compared=choice.compared,
        groups_compared=choice.groups_compared,
        verdicts=[
            selection_pb2.Verdict(constraint=one.constraint, asked=one.asked, put_aside=one.put_aside)
            for one in choice.verdicts
        ],
    )
    if choice.statistics is None:
        return response
    for rank, chosen in enumerate(choice.groups):
        front = None if choice.ranking.fronts is None else choice.ranking.fronts[rank]
        score = None if choice.ranking.scores is None else choice.ranking.scores[rank]
        before = choice.groups[rank - 1].values if rank else None
        named = [columns.ids.at(place).hex() for place in chosen.runs]
        values = [value for place in chosen.runs for value in columns.values[place].tolist()]
        response.groups.append(
            selection_pb2.SelectedGroup(
                rank=rank + 1,
                front=front or 0,
                score=score,
                values=_group_values(question, columns, chosen),
                objectives=_summaries(question, choice.statistics, chosen),
                count=int(choice.statistics.counts[chosen.group]),
                runs=[runs.get(run_id, run_pb2.Run(run_id=run_id)) for run_id in named],
                run_values=values,
                reason=reason_of(
                    question, rank + 1, choice.groups_compared, chosen.values, before, front, score, chosen.tie
                ),
            )
        )
    return response


def _group_values(question: Question, columns: Columns, chosen: Chosen) -> list[selection_pb2.GroupValue]:
    """All runs of a group have the same: those of its best one."""
    return [
        selection_pb2.GroupValue(key=text, value=columns.labels[place].at(chosen.runs[0]))
        for place, (text, _) in enumerate(question.groups)
    ]


def _summaries(question: Question, found: Statistics, chosen: Chosen) -> list[selection_pb2.ObjectiveSummary]:
    count = int(found.counts[chosen.group])
    summaries = []
    for place, value in enumerate(chosen.values):
        mean, std = float(found.means[chosen.group, place]), float(found.stds[chosen.group, place])
        half = two_sided(question.confidence, count - 1) * std / math.sqrt(count) if count > 1 else math.nan
        summaries.append(
            selection_pb2.ObjectiveSummary(
                value=value, mean=mean, std=std, median=float(found.medians[chosen.group, place]),
                min=float(found.lows[chosen.group, place]), max=float(found.highs[chosen.group, place]),
                confidence_low=mean - half, confidence_high=mean + half,
            )
        )  # fmt: skip
    return summaries
