"""The best runs, or the best groups of runs, and why: what `Client.select` takes and gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

from fleetlog_core.printable import printable
from fleetlog_proto.v1 import registry_event_pb2, selection_pb2

from fleetlog._values.arguments import choice, invalid, texts
from fleetlog._values.as_of import AsOf, as_of_of
from fleetlog._views.notebook import selection_html
from fleetlog._views.views import Reader, RunView
from fleetlog.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd

Mode = Literal["lexicographic", "weighted", "pareto"]
Statistic = Literal["mean", "median", "best", "worst"]
_MODES: dict[Mode, selection_pb2.ObjectiveMode.ValueType] = {
    "lexicographic": selection_pb2.OBJECTIVE_MODE_LEXICOGRAPHIC,
    "weighted": selection_pb2.OBJECTIVE_MODE_WEIGHTED,
    "pareto": selection_pb2.OBJECTIVE_MODE_PARETO,
}
_STATISTICS: dict[Statistic, selection_pb2.GroupStatistic.ValueType] = {
    "mean": selection_pb2.GROUP_STATISTIC_MEAN,
    "median": selection_pb2.GROUP_STATISTIC_MEDIAN,
    "best": selection_pb2.GROUP_STATISTIC_BEST,
    "worst": selection_pb2.GROUP_STATISTIC_WORST,
}
_OBJECTIVE = re.compile(r"(?P<value>.*\S)\s+(?P<way>ASC|DESC)(?:\s+(?P<weight>\d+(?:\.\d*)?|\.\d+))?", re.I | re.DOTALL)


@dataclass(frozen=True)
class Objective:
    """A number of a run in the filter's words, such as "min(metrics.val_loss)", and which way is good.

    `weight` is its share with mode="weighted".
    """

    value: str
    maximize: bool = False
    weight: float = 1.0

    @classmethod
    def of(cls, text: str) -> Objective:
        """Objective in words: "metrics.val_loss ASC" or, with a weight, "metrics.accuracy DESC 2"; ASC is small."""
        match = _OBJECTIVE.fullmatch(text.strip())
        if match is None:
            raise InvalidArgument(
                "OBJECTIVE_INVALID", f"objectives: {text!r} is not of the form 'metrics.val_loss ASC'"
            )
        return cls(match["value"], match["way"].upper() == "DESC", float(match["weight"] or 1))

    def message(self) -> selection_pb2.Objective:
        """For a request."""
        way = selection_pb2.DIRECTION_MAXIMIZE if self.maximize else selection_pb2.DIRECTION_MINIMIZE
        return selection_pb2.Objective(value=self.value, direction=way, weight=self.weight)


@dataclass(frozen=True)
class ObjectiveStats:
    """One objective over the runs of a group; `value` is what stands for the group.

    `std` is the sample's (n - 1); `confidence_low` and `confidence_high` bound the mean by Student's t. All three are
    NaN for one run.
    """

    value: float
    mean: float
    std: float
    median: float
    min: float
    max: float
    confidence_low: float
    confidence_high: float


@dataclass(frozen=True)
class Verdict:
    """How many runs came to a question, and how many it put aside."""

    constraint: str
    asked: int
    put_aside: int


@dataclass(frozen=True)
class Group:
    """Runs with the same values of group_by, or a single run; the best of its runs first."""

    rank: int
    values: dict[str, str | None]
    """Value of each key of group_by; None where the runs have none."""
    count: int
    """How many runs; `runs` are only as many as were asked for."""
    objectives: dict[str, ObjectiveStats]
    runs: list[RunView]
    run_values: list[dict[str, float]]
    """The objectives of each of `runs`."""
    reason: str
    front: int | None = None
    """From 1, with mode="pareto"."""
    score: float | None = None
    """0 (best) to 1, with mode="weighted"."""

    @property
    def run(self) -> RunView:
        """Its best run."""
        return self.runs[0]


class Selection(Sequence[Group]):
    """The best groups, the best first; `verdicts` say who was put aside, in the order in which it was asked."""

    def __init__(self, groups: Sequence[Group], verdicts: Sequence[Verdict], candidates: int, compared: int,
                 groups_compared: int, choice: bytes = b"", reader: Reader | None = None) -> None:  # fmt: skip
        self._groups = groups
        self._reader = reader
        self.verdicts = list(verdicts)
        self.candidates = candidates
        """Runs before any constraint."""
        self.compared = compared
        """Runs that were compared in the end."""
        self.groups_compared = groups_compared
        self.choice = choice
        """What was asked, and the position of the answer: register_model keeps it with a version."""

    @classmethod
    def of(
        cls, response: selection_pb2.SelectRunsResponse, request: selection_pb2.SelectRunsRequest, reader: Reader
    ) -> Selection:
        """From the messages."""
        objectives = [one.value for one in request.objectives]
        choice = registry_event_pb2.ModelSelection(request=request, position=response.position)
        choice.request.scope.ClearField("at_least")
        return cls(
            [_group(group, objectives, reader, as_of_of(request.scope)) for group in response.groups],
            [Verdict(one.constraint, one.asked, one.put_aside) for one in response.verdicts],
            response.candidates, response.compared, response.groups_compared, choice.SerializeToString(),
            reader,
        )  # fmt: skip

    @property
    def best(self) -> Group | None:
        """The first; None when nothing is left. `why()` says what put the others aside."""
        return self._groups[0] if self._groups else None

    def why(self) -> str:
        """Line by line: how many runs there were, what put how many aside, and why each group is where it is."""
        lines = [f"{self.candidates:,} runs"]
        lines += [f"  {one.constraint}: {one.put_aside:,} of {one.asked:,} put aside" for one in self.verdicts]
        grouped = f" in {self.groups_compared:,} groups" if any(group.values for group in self) else ""
        lines.append(f"{self.compared:,} runs{grouped} compared")
        lines += [f"  {group.reason}" for group in self]
        return "\n".join(map(printable, lines))

    def __len__(self) -> int:
        return len(self._groups)

    @overload
    def __getitem__(self, place: int) -> Group: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Group]: ...
    def __getitem__(self, place: int | slice) -> Group | Sequence[Group]:
        return self._groups[place]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)

    def __repr__(self) -> str:
        head = f"<fleetlog.Selection: {len(self)} of {self.groups_compared:,}, from {self.candidates:,} runs>"
        return "\n".join([head, *(f"  {printable(group.reason)}" for group in self)])

    def _repr_html_(self) -> str:
        return selection_html(self, self._reader)

    def rows(self) -> list[dict[str, object]]:
        """A row a group: rank, what it is grouped by, count, each objective and its statistics, its best run."""
        rows: list[dict[str, object]] = []
        for group in self:
            row: dict[str, object] = {"rank": group.rank}
            row |= {"front": group.front} if group.front is not None else {}
            row |= {"score": group.score} if group.score is not None else {}
            row |= {**group.values, "count": group.count}
            for name, stats in group.objectives.items():
                row[name] = stats.value
                if group.values:
                    row |= {f"{name} {word}": number for word, number in vars(stats).items() if word != "value"}
            rows.append({**row, "run_id": group.run.id, "name": group.run.name})
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame."""
        import pandas

        return pandas.DataFrame(self.rows())


def _group(group: selection_pb2.SelectedGroup, objectives: Sequence[str], reader: Reader, as_of: AsOf | None) -> Group:
    stats = [
        ObjectiveStats(
            one.value, one.mean, one.std, one.median, one.min, one.max, one.confidence_low, one.confidence_high
        )
        for one in group.objectives
    ]
    width = len(objectives)
    values = [list(group.run_values[first : first + width]) for first in range(0, len(group.run_values), width)]
    return Group(
        rank=group.rank,
        values={one.key: one.value if one.HasField("value") else None for one in group.values},
        count=group.count,
        objectives=dict(zip(objectives, stats, strict=True)),
        runs=[RunView(run, reader, as_of) for run in group.runs],
        run_values=[dict(zip(objectives, row, strict=True)) for row in values],
        reason=group.reason,
        front=group.front or None,
        score=group.score if group.HasField("score") else None,
    )


def objectives_of(
    minimize: str | Iterable[str] | None,
    maximize: str | Iterable[str] | None,
    objectives: Iterable[str | Objective],
) -> list[Objective]:
    """Objectives as given, then what is to be small, then what is to be large."""
    given = [objectives] if isinstance(objectives, (str, Objective)) else list(objectives)
    found = [Objective.of(one) if isinstance(one, str) else one for one in given]
    for one in found:
        if not isinstance(one, Objective):
            raise invalid("objectives", one, "an Objective or a text such as 'metrics.val_loss ASC'")
    for name, values, large in (("minimize", minimize, False), ("maximize", maximize, True)):
        found += [Objective(value, large) for value in texts(name, values)]
    return found


def mode_of(word: Mode) -> selection_pb2.ObjectiveMode.ValueType:
    """The number of a word. InvalidArgument."""
    return _MODES[choice("mode", word, _MODES, "SELECTION_INVALID")]


def statistic_of(word: Statistic) -> selection_pb2.GroupStatistic.ValueType:
    """The number of a word. InvalidArgument."""
    return _STATISTICS[choice("statistic", word, _STATISTICS, "SELECTION_INVALID")]
