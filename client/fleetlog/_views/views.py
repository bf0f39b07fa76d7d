"""Runs and experiments as they were read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Unpack, overload

from fleetlog_core.errors import FleetlogError
from fleetlog_proto.v1 import event_pb2, experiment_pb2, run_pb2

from fleetlog._transport.answers import BAD_ANSWER
from fleetlog._values.datasets import Dataset
from fleetlog._values.params import Value, from_param
from fleetlog._values.position import Position
from fleetlog._views import frames, messages
from fleetlog._views.series import Buckets, Series, Which

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

messages.register()


_STATES = {int(number): name.removeprefix("RUN_STATE_") for name, number in event_pb2.RunState.items()}
"""One that a newer server knows is shown by its number."""


class Reader(Protocol):
    """What a view needs to read more of its run."""

    def read_metric(self, run_id: str, key: str, *, last: int | None = None, **which: Unpack[Which]) -> Series:
        """Points of one metric."""
        ...

    def read_buckets(self, run_id: str, key: str, buckets: int, **which: Unpack[Which]) -> Buckets:
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
    """What is known of a metric without its points; see fleetlog.v1.MetricSummary and MetricRange."""

    last: float
    last_step: int
    last_time: datetime
    first: float
    first_step: int
    min: float
    min_step: int
    max: float
    max_step: int
    mean: float
    std: float
    count: int
    nan_count: int


@dataclass(frozen=True)
class Problem:
    """Something that went wrong with an event of the run."""

    reason: str
    message: str
    points: int
    time: datetime


@dataclass(frozen=True)
class Experiment:
    """A named set of runs."""

    id: int
    name: str
    tags: dict[str, str]
    create_time: datetime
    deleted: bool

    @classmethod
    def of(cls, message: experiment_pb2.Experiment) -> Experiment:
        """From the message."""
        created = utc(message.create_time_millis)
        return cls(message.experiment_id, message.name, dict(message.tags), created, message.deleted)


class RunView:
    """A run as a search or a read showed it."""

    def __init__(self, message: run_pb2.Run, reader: Reader) -> None:
        self._message = message
        self._reader = reader
        self.id = message.run_id
        self.experiment_id = message.experiment_id
        self.name = message.name
        self.user = message.user
        self.state = _STATES.get(message.state, f"STATE_{message.state}")
        self.parent_id = message.parent_run_id or None
        self.deleted = message.deleted
        self.params: dict[str, Value] = {param.key: from_param(param) for param in message.params}
        self.tags: dict[str, str] = dict(message.tags)
        self.metrics: dict[str, float] = {metric.key: metric.last for metric in message.metrics}

    def __repr__(self) -> str:
        return f"<fleetlog.RunView {self.id} {self.name!r} {self.state}>"

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

    def metric(self, key: str, *, last: int | None = None, **which: Unpack[Which]) -> Series:
        """The points of a metric, read now; `last`: only so many, the last ones."""
        return self._reader.read_metric(self.id, key, last=last, **which)

    def buckets(self, key: str, count: int, **which: Unpack[Which]) -> Buckets:
        """A metric in at most `count` buckets, for charts."""
        return self._reader.read_buckets(self.id, key, count, **which)


class RunList(Sequence[RunView]):
    """The runs that a search found, in its order."""

    total: int | None
    """How many runs match, without the limit; None when that was not asked for."""
    total_is_lower_bound: bool
    """Whether there are more than `total`."""
    position: Position | None = None
    """Of a search with `as_of`: the place in the log that it came to. As of that it finds the same for ever."""

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

    def to_arrow(self) -> pa.Table:
        """A row a run, columns as fleetlog._views.frames says. ImportError without pyarrow: fleetlog[arrow]."""
        return frames.table_of_runs(self._runs)

    def to_pandas(self) -> pd.DataFrame:
        """The same as pandas. Works without pyarrow too, a run at a time."""
        if frames.has_pyarrow():
            return frames.pandas_of(self.to_arrow())
        import pandas

        return pandas.DataFrame([frames.row_of(run) for run in self._runs])

    def to_polars(self) -> pl.DataFrame:
        """The same as polars. ImportError without it: fleetlog[polars]."""
        return frames.polars_of(self.to_arrow())
