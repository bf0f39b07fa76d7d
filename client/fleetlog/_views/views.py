"""Runs and experiments as they were read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Unpack, overload

from fleetlog_core.errors import FleetlogError
from fleetlog_proto.v1 import event_pb2, experiment_pb2, query_pb2, run_pb2

from fleetlog._transport.answers import BAD_ANSWER
from fleetlog._values.as_of import AsOf
from fleetlog._values.datasets import Dataset
from fleetlog._values.params import Value, from_param
from fleetlog._values.position import Position
from fleetlog._views import frames, messages
from fleetlog._views.notebook import RUNS, Pages, run_html, runs_html
from fleetlog._views.series import Branch, Buckets, Series, Which

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

messages.register()


_STATES = {int(number): name.removeprefix("RUN_STATE_") for name, number in event_pb2.RunState.items()}
"""One that a newer server knows is shown by its number."""


class Reader(Pages, Protocol):
    """What a view needs to read more of its run."""

    def read_metric(
        self, run_id: str, key: str, *, branch: Branch | None = None, last: int | None = None, **which: Unpack[Which]
    ) -> Series:
        """Points of one metric."""
        ...

    def read_buckets(
        self, run_id: str, key: str, buckets: int, *, branch: Branch | None = None, **which: Unpack[Which]
    ) -> Buckets:
        """One metric in buckets."""
        ...


def utc(millis: int) -> datetime:
    """A datetime in UTC of Unix milliseconds. FleetlogError BAD_ANSWER for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(millis / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise FleetlogError(BAD_ANSWER, f"the server sent {millis} as a time in Unix milliseconds") from error


@dataclass(frozen=True)
class MetricSummary:
    """Numbers of one metric of a run, without its points."""

    last: float
    """Value at the highest step; of several at it the one of the latest time, then the highest."""
    last_step: int
    """The highest step."""
    last_time: datetime
    """Time of the last value, UTC."""
    first: float
    """Value at the lowest step."""
    first_step: int
    """The lowest step."""
    min: float
    """Lowest number; NaN when there is none."""
    min_step: int
    """Lowest step at which it stands."""
    max: float
    """Highest number; NaN when there is none."""
    max_step: int
    """Lowest step at which it stands."""
    mean: float
    """Arithmetic mean of the numbers."""
    std: float
    """Population standard deviation of the numbers."""
    count: int
    """Number of points, NaN included."""
    nan_count: int
    """Number of points that are NaN."""


@dataclass(frozen=True)
class Problem:
    """Something that went wrong with an event of the run."""

    reason: str
    """Stable word for the kind of problem, such as NOT_A_NUMBER."""
    message: str
    """What happened, in a sentence."""
    points: int
    """Number of points that were lost."""
    time: datetime
    """When the server learnt of it, UTC."""


@dataclass(frozen=True)
class Activity:
    """Runs of an experiment that are not deleted: how many, and when the last ones started and ended."""

    runs: int
    """How many there are."""
    running_runs: int
    """How many of them are running."""
    last_start_time: datetime | None
    """Start of the one that started last, UTC; None = there is none."""
    last_end_time: datetime | None
    """End of the one that ended last, UTC; None = none ended."""

    @classmethod
    def of(cls, message: query_pb2.ExperimentActivity) -> Activity:
        """From the message."""
        times = (message.last_start_time_millis, message.last_end_time_millis)
        started, ended = (utc(millis) if millis else None for millis in times)
        return cls(message.runs, message.running_runs, started, ended)


@dataclass(frozen=True)
class Experiment:
    """A named set of runs."""

    id: int
    """Number within the namespace; 0 is "Default"."""
    name: str
    """Name, unique within the namespace."""
    tags: dict[str, str]
    """Texts by key."""
    create_time: datetime
    """When it was made, UTC; 1970 for the one that was always there."""
    deleted: bool
    """True if it and its runs are hidden from searches."""
    activity: Activity | None = None
    """What there is of its runs; None unless it was asked for."""

    @classmethod
    def of(cls, message: experiment_pb2.Experiment, activity: query_pb2.ExperimentActivity | None = None) -> Experiment:
        """From the messages."""
        created, known = utc(message.create_time_millis), None if activity is None else Activity.of(activity)
        return cls(message.experiment_id, message.name, dict(message.tags), created, message.deleted, known)


class RunView:
    """A run as a search or a read showed it. Fields that a `read_mask` left out are empty."""

    id: str
    """32 hexadecimal digits."""
    experiment_id: int
    """Number of its experiment."""
    name: str
    """Display name; may be empty."""
    user: str
    """Who started it."""
    state: str
    """RUNNING, FINISHED, FAILED, KILLED, LOST, SCHEDULED; STATE_ and a number for one that a newer server knows."""
    parent_id: str | None
    """Id of the run that it is part of."""
    deleted: bool
    """True if it is hidden from searches."""
    forked_from: tuple[str, int] | None
    """Id of the run that it goes on from, and the last step that it has of it."""
    branch: int
    """Number of rewinds that led to it; 0 for the run as it began."""
    root_id: str
    """Id of the first branch of the run; its own when it was never rewound."""
    superseded_by: str | None
    """Id of the branch that a rewind put in its place."""
    params: dict[str, Value]
    """Typed inputs by key."""
    tags: dict[str, str]
    """Texts by key."""
    metrics: dict[str, float]
    """Last value of each metric by key; `summary(key)` has the rest."""

    def __init__(self, message: run_pb2.Run, reader: Reader, as_of: AsOf | None = None) -> None:
        """`as_of`: when it was like this; None = when it was read."""
        self._message = message
        self._reader = reader
        self._as_of = as_of
        self.id = message.run_id
        self.experiment_id = message.experiment_id
        self.name = message.name
        self.user = message.user
        self.state = _STATES.get(message.state, f"STATE_{message.state}")
        self.parent_id = message.parent_run_id or None
        self.deleted = message.deleted
        fork = message.forked_from
        self.forked_from = (fork.run_id, fork.step) if message.HasField("forked_from") else None
        self.branch, self.root_id = message.branch, message.root_run_id or message.run_id
        self.superseded_by = message.superseded_by or None
        self.params = {param.key: from_param(param) for param in message.params}
        self.tags = dict(message.tags)
        self.metrics = {metric.key: metric.last for metric in message.metrics}

    def __repr__(self) -> str:
        return f"<fleetlog.RunView {self.id} {self.name!r} {self.state}>"

    def _repr_html_(self) -> str:
        return run_html(self, self._reader, self._as_of)

    @property
    def start_time(self) -> datetime:
        """Start, UTC."""
        return utc(self._message.start_time_millis)

    @property
    def end_time(self) -> datetime | None:
        """End, UTC; None while it has not ended."""
        return utc(self._message.end_time_millis) if self._message.HasField("end_time_millis") else None

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None while it has not ended."""
        end = self.end_time
        return None if end is None else end - self.start_time

    @property
    def datasets(self) -> list[Dataset]:
        """Data that it read, by name, digest and context. Empty in runs that came as Arrow."""
        return [Dataset.of(message) for message in self._message.datasets]

    @property
    def problems(self) -> list[Problem]:
        """What went wrong with its events; filled by get_run."""
        return [
            Problem(problem.reason, problem.message, problem.points, utc(problem.ingest_time_millis))
            for problem in self._message.problems
        ]

    @cached_property
    def _summaries(self) -> dict[str, run_pb2.MetricSummary]:
        """By key: a run may have 100,000 metrics."""
        return {metric.key: metric for metric in self._message.metrics}

    def summary(self, key: str) -> MetricSummary:
        """All that is known of a metric. KeyError; ValueError when the search did not ask for summaries."""
        metric = self._summaries[key]
        if not metric.HasField("range"):
            raise ValueError("the search did not ask for summaries: pass summaries=True")
        whole = metric.range
        return MetricSummary(
            metric.last, metric.last_step, utc(metric.last_time_millis), whole.first, whole.first_step,
            whole.min, whole.min_step, whole.max, whole.max_step, whole.mean, whole.std, whole.count, whole.nan_count,
        )  # fmt: skip

    def metric(
        self, key: str, *, branch: Branch | None = None, last: int | None = None, **which: Unpack[Which]
    ) -> Series:
        """The points of a metric, read now; `last`: only so many, the last ones. `branch`: see Client.read_metric."""
        return self._reader.read_metric(self.id, key, branch=branch, last=last, **which)

    def buckets(self, key: str, count: int, *, branch: Branch | None = None, **which: Unpack[Which]) -> Buckets:
        """A metric in at most `count` buckets, for charts. `branch`: see Client.read_metric."""
        return self._reader.read_buckets(self.id, key, count, branch=branch, **which)


class RunList(Sequence[RunView]):
    """The runs that a search found, in its order."""

    total: int | None
    """How many runs match, without the limit; None when that was not asked for."""
    total_is_lower_bound: bool
    """Whether there are more than `total`."""
    position: Position | None = None
    """Position in the log that a search with `as_of` came to. As of that it finds the same for ever."""

    def __init__(self, runs: Sequence[RunView], total: int | None = None, total_is_lower_bound: bool = False) -> None:
        self._found = runs
        self.total, self.total_is_lower_bound = total, total_is_lower_bound

    @property
    def _runs(self) -> Sequence[RunView]:
        return self._found

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, place: int) -> RunView: ...
    @overload
    def __getitem__(self, place: slice) -> RunList: ...
    def __getitem__(self, place: int | slice) -> RunView | RunList:
        return RunList(self._runs[place]) if isinstance(place, slice) else self._runs[place]

    def __iter__(self) -> Iterator[RunView]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return f"<fleetlog.RunList of {len(self)}>"

    def _repr_html_(self) -> str:
        count = self.total if self.total is not None and not self.total_is_lower_bound else len(self)
        runs = self._runs[:RUNS]
        return runs_html(runs, count, runs[0]._reader, runs[0]._as_of) if runs else runs_html((), 0, None, None)

    def to_arrow(self) -> pa.Table:
        """A row a run, columns as fleetlog._views.frames says. ImportError without pyarrow: fleetlog[arrow]."""
        return frames.table_of_runs(self._runs)

    def to_pandas(self) -> pd.DataFrame:
        """The runs as a pandas data frame. Works without pyarrow too, a run at a time."""
        if frames.has_pyarrow():
            return frames.pandas_of(self.to_arrow())
        import pandas

        return pandas.DataFrame([frames.row_of(run) for run in self._runs])

    def to_polars(self) -> pl.DataFrame:
        """The runs as a polars data frame. ImportError without it: fleetlog[polars]."""
        return frames.polars_of(self.to_arrow())
