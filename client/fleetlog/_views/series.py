"""Points of one metric, read from the server."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypedDict

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.times import to_millis
from fleetlog_proto.v1 import aggregate_pb2, metric_pb2

from fleetlog._transport.answers import bad_answer, canonical
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog._values.as_of import AsOf, as_of_message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


MAX_POINTS = 200_000_000
"""Maximum of points that one read takes unless it is told another one: 4.8 GB. BAD_ANSWER beyond it."""
Branch = int | Literal["current"]
"""A branch of a run: its number, from 0, or the one that searches show."""
Axis = Literal["step", "time", "relative"]
AXES: dict[Axis, metric_pb2.MetricAxis.ValueType] = {
    "step": metric_pb2.METRIC_AXIS_STEP,
    "time": metric_pb2.METRIC_AXIS_TIME,
    "relative": metric_pb2.METRIC_AXIS_RELATIVE_TIME,
}
Time = datetime | timedelta | float | str


class Which(TypedDict, total=False):
    """Which points of a series, and in which order; both ends of a range are in it. What is left out is no limit.

    Times are datetimes, seconds or milliseconds since 1970, or ISO 8601 (docs/times.md); on the axis "relative" they
    are timedeltas, or milliseconds since the start of the run.
    """

    axis: Axis
    """Order of the points, and what buckets are cut by: "step" (unless given), "time", or "relative"."""
    min_step: int | None
    """The lowest step."""
    max_step: int | None
    """The highest step."""
    min_time: Time | None
    """The earliest time."""
    max_time: Time | None
    """The latest time."""
    ranks: Sequence[int]
    """Ranks of writers; -1 is a writer without one. Empty = all."""
    as_of: AsOf | None
    """When, as in search_runs: only points that the log had by then; None = all that it has now."""


def metric_request(
    run_ids: Sequence[AnyRun], keys: Sequence[str], which: Which, *, buckets: int = 0, last: int | None = None,
    per_rank: bool = False, sample: int | None = None,
) -> metric_pb2.ReadMetricRequest:  # fmt: skip
    """The request, but for namespace and position. InvalidArgument."""
    axis = arguments.choice("axis", which.get("axis", "step"), AXES)
    for name in which:
        arguments.choice("argument", name, dict.fromkeys(Which.__annotations__))
    low, high, int64 = which.get("min_step"), which.get("max_step"), 1 << 63
    ranks = which.get("ranks", ())
    return metric_pb2.ReadMetricRequest(
        run_ids=arguments.run_ids(run_ids), keys=arguments.texts("keys", keys), buckets=buckets,
        last_points=arguments.maybe_count("last", last, 1) or 0,
        sample_steps=arguments.maybe_count("sample", sample, 1) or 0, per_rank=arguments.flag("per_rank", per_rank),
        axis=AXES[axis], min_step=arguments.maybe_count("min_step", low, -int64),
        max_step=arguments.maybe_count("max_step", high, -int64),
        ranks=[arguments.count("ranks", rank, -1) for rank in ((ranks,) if isinstance(ranks, int) else ranks)],
        min_time_millis=_millis("min_time", which.get("min_time"), axis),
        max_time_millis=_millis("max_time", which.get("max_time"), axis),
        as_of=as_of_message(which.get("as_of")),
    )  # fmt: skip


def _millis(name: str, when: Time | None, axis: Axis) -> int | None:
    if isinstance(when, timedelta):
        return round(when / timedelta(milliseconds=1))
    if when is None:
        return None
    if axis == "relative":
        return arguments.count(name, when, -(1 << 63))
    try:
        return to_millis(when)
    except ValueError as error:
        raise InvalidArgument.of_field("TIME_INVALID", name, str(error)) from None


class Series:
    """Points by (step, time, log order): `steps` (int64), `times` (int64, Unix milliseconds), `values` (float64).

    Along another axis they are by (time, step), and times since the start of the run may count from there. The columns
    are numpy arrays where numpy is installed, else array.array. Writing to them is not possible. `rank` is None unless
    each rank's points were asked for by themselves.
    """

    def __init__(
        self, key: str, steps: bytes, times: bytes, values: bytes, run_id: str = "", rank: int | None = None
    ) -> None:
        self.run_id = run_id
        self.key = key
        self.rank = rank
        self.steps = _column(steps, "q")
        self.times = _column(times, "q")
        self.values = _column(values, "d")

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<fleetlog.Series {self.key!r}, {len(self):,} points>"

    def to_numpy(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(steps, values)."""
        import numpy

        return numpy.asarray(self.steps), numpy.asarray(self.values)

    def to_pandas(self) -> pd.DataFrame:
        """Columns step, time (UTC), value."""
        import pandas

        times = pandas.to_datetime(self.times, unit="ms", utc=True)
        return pandas.DataFrame({"step": self.steps, "time": times, "value": self.values})


class Buckets:
    """A series in buckets of equal width: `steps` (first of each), `counts`, `mins`, `maxs`, `means`, `nans`.

    Along an axis of times, `steps` are the first milliseconds of each. Buckets without points are left out. `counts`
    are all points, `nans` those that are NaN; the rest is over numbers. `rank` as in Series.
    """

    def __init__(
        self, key: str, chunks: Sequence[metric_pb2.BucketChunk], run_id: str = "", rank: int | None = None
    ) -> None:
        self.run_id = run_id
        self.key = key
        self.rank = rank
        self.steps = _column(b"".join(chunk.steps for chunk in chunks), "q")
        self.counts = _column(b"".join(chunk.counts for chunk in chunks), "Q")
        self.nans = _column(b"".join(chunk.nans or bytes(len(chunk.counts)) for chunk in chunks), "Q")
        self.mins = _column(b"".join(chunk.mins for chunk in chunks), "d")
        self.maxs = _column(b"".join(chunk.maxs for chunk in chunks), "d")
        self.means = _column(b"".join(chunk.means for chunk in chunks), "d")

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<fleetlog.Buckets {self.key!r}, {len(self):,} buckets>"

    def to_pandas(self) -> pd.DataFrame:
        """Columns step, count, nans, min, max, mean."""
        import pandas

        return pandas.DataFrame(
            {
                "step": self.steps, "count": self.counts, "nans": self.nans, "min": self.mins, "max": self.maxs,
                "mean": self.means,
            }
        )  # fmt: skip


class GroupCurve:
    """A metric of a group of runs, in buckets: `xs` (first step or millisecond of each), `counts` (runs with a number),
    `means` of the runs' means, their `stds` (NaN of one run), and `mins` and `maxs` of any run.

    A run counts where it has a number, and nowhere else: nothing is interpolated.
    """

    def __init__(self, values: dict[str, str | None], group: aggregate_pb2.AggregatedGroup) -> None:
        self.values = values
        """Values of the keys that make the group, as texts; None where its runs have none."""
        self.runs = group.runs
        """Runs that have points in the range."""
        self.xs = _column(group.xs, "q")
        self.counts = _column(group.counts, "Q")
        self.means, self.stds = _column(group.means, "d"), _column(group.stds, "d")
        self.mins, self.maxs = _column(group.mins, "d"), _column(group.maxs, "d")

    def __len__(self) -> int:
        return len(self.xs)

    def __repr__(self) -> str:
        named = ", ".join(f"{key}={value}" for key, value in self.values.items())
        return f"<fleetlog.GroupCurve {named or 'all'}, {self.runs:,} runs, {len(self):,} buckets>"

    def to_pandas(self) -> pd.DataFrame:
        """Columns x, count, mean, std, min, max."""
        import pandas

        return pandas.DataFrame(
            {
                "x": self.xs, "count": self.counts, "mean": self.means, "std": self.stds, "min": self.mins,
                "max": self.maxs,
            }
        )  # fmt: skip


def _column(data: bytes, code: str) -> Any:
    """Little-endian elements of 8 bytes."""
    try:
        import numpy
    except ImportError:
        column = array(code)
        column.frombytes(data)
        return column
    return numpy.frombuffer(data, {"q": "<i8", "Q": "<u8", "d": "<f8"}[code])


def gather(
    responses: Iterable[metric_pb2.ReadMetricResponse],
    request: metric_pb2.ReadMetricRequest,
    target: str,
    max_points: int = MAX_POINTS,
) -> tuple[list[Series], list[Buckets]]:
    """The series as they came, or their buckets. BAD_ANSWER for parts of others than were asked for, and for more."""
    expected = Expected(request, target, max_points)
    chunks: dict[tuple[str, str, int | None], list[metric_pb2.MetricPart]] = {}
    for response in responses:
        for part in response.parts:
            count = expected.check(part)
            rank = part.rank if part.HasField("rank") else None
            found = chunks.setdefault((part.run_id, part.key, rank), [])
            if count or not found:
                found.append(part)
    series: list[Series] = []
    buckets: list[Buckets] = []
    for (run_id, key, rank), parts in chunks.items():
        if parts[0].HasField("buckets"):
            buckets.append(Buckets(key, [one.buckets for one in parts], run_id, rank))
        else:
            series.append(_joined(key, [one.points for one in parts], run_id, rank))
    return series, buckets


class Expected:
    """What a request asked for, compared with the parts of its answer."""

    def __init__(self, request: metric_pb2.ReadMetricRequest, target: str, max_points: int) -> None:
        self._target = target
        self._max_points = max_points
        self._in_all = 0
        self._runs, self._keys = set(map(canonical, request.run_ids)), set(request.keys)
        self._ranks, self._per_rank, self._buckets = set(request.ranks), request.per_rank, bool(request.buckets)
        self._most_of_one = request.buckets or request.last_points
        self._what = "buckets" if request.buckets else "points"
        self._points: Counter[tuple[str, str, int]] = Counter()

    def check(self, part: metric_pb2.MetricPart) -> int:
        """Points or buckets of a part. BAD_ANSWER: another series or form, columns of several lengths, too many."""
        if part.run_id not in self._runs or part.key not in self._keys:
            self._refuse(f"points of {shown(part.key)} of run {shown(part.run_id)} were not asked for")
        if part.HasField("rank") and (not self._per_rank or (self._ranks and part.rank not in self._ranks)):
            self._refuse(f"points of rank {part.rank} were not asked for")
        if part.HasField("buckets") != self._buckets:
            self._refuse("points instead of buckets, or buckets instead of points")
        if self._buckets:
            many = part.buckets
            columns = [many.steps, many.counts, many.mins, many.maxs, many.means, many.nans or many.counts]
        else:
            columns = [part.points.steps, part.points.times_millis, part.points.values]
        sizes = {len(column) for column in columns}
        if len(sizes) > 1 or sizes.pop() % 8:
            self._refuse(f"columns of {shown(part.key)} are not of one length")
        series, count = (part.run_id, part.key, part.rank), len(columns[0]) // 8
        if most := self._most_of_one:
            self._points[series] += count
            if self._points[series] > most:
                self._refuse(f"more than {most:,} {self._what} of {shown(part.key)}")
        self._in_all += count
        if self._in_all > self._max_points:
            self._refuse(f"more than {self._max_points:,} {self._what} in all; a read of more has to give max_points")
        return count

    def _refuse(self, what: str) -> NoReturn:
        raise bad_answer(self._target, what)


def _joined(key: str, chunks: Sequence[metric_pb2.PointChunk], run_id: str, rank: int | None) -> Series:
    """One series of its chunks; a single chunk is not copied."""
    if len(chunks) == 1:
        return Series(key, chunks[0].steps, chunks[0].times_millis, chunks[0].values, run_id, rank)
    return Series(
        key,
        b"".join(chunk.steps for chunk in chunks),
        b"".join(chunk.times_millis for chunk in chunks),
        b"".join(chunk.values for chunk in chunks),
        run_id,
        rank,
    )
