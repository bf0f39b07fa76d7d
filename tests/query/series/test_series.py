"""Points and buckets of random series against a plain reading of the same points."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Literal

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog._views.series import Which
from fleetlog_proto.v1 import metric_pb2
from fleetlog_query.series import buckets, grid, point_pieces, points
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.profiles import examples
from tests.query.random_runs import KEYS, START, STEPS, Fleet
from tests.query.reference.evaluate import Point

Name = tuple[str, str, int | None]


STEP = st.none() | st.sampled_from([*STEPS, 200, 383, 384, 450])
COUNT = st.sampled_from([1, 2, 5, 7, 50, 10_000])
TIMES = st.none() | st.tuples(st.integers(-1_000, 3_000), st.integers(-1_000, 3_500))


@st.composite
def which_points(draw: st.DrawFn) -> Which:
    axis: Literal["step", "time", "relative"] = draw(st.sampled_from(["step", "time", "relative"]))
    times = draw(TIMES)
    since = 0 if axis == "relative" else START
    return {
        "axis": axis,
        "min_step": draw(STEP),
        "max_step": draw(STEP),
        "min_time": None if times is None else times[0] + since,
        "max_time": None if times is None else times[1] + since,
        "ranks": draw(st.sampled_from([(), (), (-1,), (1,), (-1, 1), (7,)])),
    }


def expected(
    fleet: Fleet, run_ids: list[str], keys: list[str], which: Which, per_rank: bool
) -> dict[Name, list[Point]]:
    """The points of each series along the axis, times as the axis has them."""
    found: dict[Name, list[Point]] = {}
    for run_id in run_ids:
        start = fleet[run_id].attributes["start_time"]
        assert isinstance(start, float)
        for key in keys:
            for point in fleet[run_id].points.get(key, ()):
                time = point.time - int(start) if which.get("axis") == "relative" else point.time
                if _is_in(point.step, which.get("min_step"), which.get("max_step")) and _is_in(
                    time, which.get("min_time"), which.get("max_time")
                ):
                    moved = Point(point.step, time, point.value, point.rank)
                    if not which.get("ranks") or point.rank in which.get("ranks", ()):
                        found.setdefault((run_id, key, point.rank if per_rank else None), []).append(moved)
    for series in found.values():
        series.sort(key=lambda one: (one.step, one.time) if which.get("axis") == "step" else (one.time, one.step))
    order = {(run_id, key): place for place, (run_id, key) in enumerate((r, k) for r in run_ids for k in keys)}
    return dict(sorted(found.items(), key=lambda item: (order[item[0][:2]], item[0][2] or 0)))


def _is_in(value: int, low: object, high: object) -> bool:
    return (not isinstance(low, int) or low <= value) and (not isinstance(high, int) or value <= high)


def shown(value: float) -> str:
    return repr(value)


@pytest.fixture(params=[(points.BATCH_POINTS, 1), (700, 1), (1, 40)])
def batches(request: pytest.FixtureRequest) -> Iterator[None]:
    """Series are read together, some at a time, or each by itself in pieces."""
    before = points.BATCH_POINTS, points.LONG_POINTS, point_pieces.PIECE_POINTS
    points.BATCH_POINTS, point_pieces.PIECE_POINTS = request.param
    points.LONG_POINTS = min(points.BATCH_POINTS, 2_000) - 1
    yield
    points.BATCH_POINTS, points.LONG_POINTS, point_pieces.PIECE_POINTS = before


RUNS = st.lists(st.integers(0, 59), min_size=1, max_size=8, unique=True)
NAMES = st.lists(st.sampled_from([*KEYS, "missing"]), min_size=1, max_size=3, unique=True)


@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(runs=RUNS, keys=NAMES, which=which_points(), per_rank=st.booleans(), last=st.none() | st.integers(1, 400))
def test_points_are_those_that_were_logged(
    embedded_target: str, fleet: Fleet, batches: None, runs: list[int], keys: list[str], which: Which, per_rank: bool,
    last: int | None,
) -> None:  # fmt: skip
    run_ids = [list(fleet)[place] for place in runs]
    read = fleetlog.Client(embedded_target).read_series(run_ids, keys, last=last, per_rank=per_rank, **which)
    wanted = expected(fleet, run_ids, keys, which, per_rank)
    assert [(one.run_id, one.key, one.rank) for one in read] == list(wanted)
    for series, logged in zip(read, wanted.values(), strict=True):
        places = [(one.step, one.time) for one in logged]
        assert list(zip(series.steps.tolist(), series.times.tolist(), strict=True)) == places[-last if last else 0 :]
        values = Counter(map(shown, series.values.tolist()))
        assert values <= Counter(shown(one.value) for one in logged)


@settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
@given(runs=RUNS, keys=NAMES, low=STEP, high=STEP, sample=st.sampled_from([1, 3, 10, 10_000]))
def test_a_sample_is_of_steps_evenly_among_all_and_of_the_ends_of_each(
    embedded_target: str, fleet: Fleet, runs: list[int], keys: list[str], low: int | None, high: int | None, sample: int
) -> None:
    run_ids = [list(fleet)[place] for place in runs]
    which: Which = {"min_step": low, "max_step": high}
    read = fleetlog.Client(embedded_target).read_series(run_ids, keys, sample=sample, **which)
    whole = expected(fleet, run_ids, keys, {**which, "axis": "step"}, False)
    steps = sorted({point.step for series in whole.values() for point in series})
    chosen = set(steps)
    if len(steps) > sample:
        chosen = {steps[int(place * (len(steps) / sample))] for place in range(sample)} | {steps[-1]}
    for series in expected(fleet, run_ids, keys, {"axis": "step"}, False).values():
        chosen |= {series[0].step, series[-1].step}
    wanted = {
        name: [(point.step, point.time) for point in series if point.step in chosen] for name, series in whole.items()
    }
    found = {
        (one.run_id, one.key, one.rank): list(zip(one.steps.tolist(), one.times.tolist(), strict=True)) for one in read
    }
    assert found == {name: places for name, places in wanted.items() if places}


@pytest.fixture(
    params=[
        (grid.MANY_POINTS, buckets.FOLDED_ROWS, buckets.EARLY_SERIES),
        (0, buckets.FOLDED_ROWS, buckets.EARLY_SERIES),
        (0, buckets.FOLDED_ROWS, 1),
        (grid.MANY_POINTS, 3, 1),
        (0, 0, 1),
    ]
)
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets as wide as they are asked for; as if points were many; series too; and rows too many to hold."""
    points, rows, series = request.param
    monkeypatch.setattr(grid, "MANY_POINTS", points)
    monkeypatch.setattr(buckets, "FOLDED_ROWS", rows)
    monkeypatch.setattr(buckets, "EARLY_SERIES", series)


@settings(max_examples=examples(100), suppress_health_check=list(HealthCheck))
@given(
    runs=RUNS, keys=NAMES, which=which_points(), per_rank=st.booleans(), count=st.sampled_from([1, 2, 5, 7, 50, 10_000])
)
def test_every_point_is_in_one_bucket(
    embedded_target: str, fleet: Fleet, many: None, runs: list[int], keys: list[str], which: Which, per_rank: bool,
    count: int,
) -> None:  # fmt: skip
    run_ids = [list(fleet)[place] for place in runs]
    read = fleetlog.Client(embedded_target).read_curves(run_ids, keys, count, per_rank=per_rank, **which)
    wanted = expected(fleet, run_ids, keys, which, per_rank)
    assert [(one.run_id, one.key, one.rank) for one in read] == list(wanted)
    edges = sorted({begin for one in read for begin in one.steps.tolist()})
    assert len(edges) <= count
    for curve, logged in zip(read, wanted.values(), strict=True):
        begins = curve.steps.tolist()
        assert begins == sorted(set(begins))
        # A bucket ends where the next one of any series begins.
        values_of: dict[int, list[float]] = {}
        for point in logged:
            x = point.step if which.get("axis") == "step" else point.time
            values_of.setdefault(max(begin for begin in edges if begin <= x), []).append(point.value)
        assert list(values_of) == begins
        for place, values in enumerate(values_of.values()):
            numbers = [value for value in values if not math.isnan(value)]
            assert (curve.counts[place], curve.nans[place]) == (len(values), len(values) - len(numbers))
            assert same(curve.mins[place], min(numbers, default=math.nan))
            assert same(curve.maxs[place], max(numbers, default=math.nan))
            assert same(curve.means[place], sum(numbers) / len(numbers) if numbers else math.nan)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@pytest.fixture(scope="module")
def long_run(embedded_target: str) -> fleetlog.RunView:
    run = fleetlog.start_run("long series", target=embedded_target)
    values = [float(step % 100) for step in range(200_000)]
    values[77_777] = 1e9
    run.log_series("x", steps=range(200_000), values=values)
    run.log_series("far", steps=[-(1 << 63), 0, (1 << 63) - 1], values=[1.0, 2.0, 3.0])
    run.finish()
    fleetlog.flush(level="applied", target=embedded_target)
    return fleetlog.Client(embedded_target).get_run(run.id)


def test_a_spike_is_seen_however_wide_the_buckets(long_run: fleetlog.RunView) -> None:
    for count in (1, 10, 1_000, 10_000):
        curve = long_run.buckets("x", count)
        assert len(curve) <= count
        assert max(curve.maxs) == 1e9
        assert sum(curve.counts) == 200_000
        part = long_run.buckets("x", count, min_step=77_700, max_step=150_001)
        assert (max(part.maxs), sum(part.counts), part.steps[0]) == (1e9, 72_302, 77_700)
        assert max(long_run.buckets("x", count, min_step=77_778).maxs) == 99.0


def test_many_points_come_in_at_least_half_the_buckets(embedded_target: str) -> None:
    runs = [fleetlog.start_run("many points", target=embedded_target) for _ in range(2)]
    for run in runs:
        run.log_series("x", steps=range(200_000), values=[float(step == 77_777) for step in range(200_000)])
        run.finish()
    fleetlog.flush(level="applied", target=embedded_target)
    client = fleetlog.Client(embedded_target)
    for count in (1_563, 2_000, 3_076):
        curves = client.read_curves([run.id for run in runs], ["x"], count)
        assert [len(curve) for curve in curves] == [1_563, 1_563]
        assert [(max(curve.maxs), sum(curve.counts), curve.steps[607]) for curve in curves] == [
            (1, 200_000, 77_696)
        ] * 2
        assert [curve.maxs[607] for curve in curves] == [1.0, 1.0]
    # Fewer points, and narrower buckets, come as they were asked for.
    assert len(client.read_curves([runs[0].id], ["x"], 2_000)[0]) == 2_000
    assert len(client.read_curves([run.id for run in runs], ["x"], 4_000)[0]) == 4_000


def test_last_points_of_a_long_series(embedded_target: str, long_run: fleetlog.RunView) -> None:
    assert long_run.metric("x", last=3).steps.tolist() == [199_997, 199_998, 199_999]
    assert long_run.metric("x", last=2, max_step=1_000).steps.tolist() == [999, 1_000]
    assert len(long_run.metric("x", last=500_000)) == 200_000
    both = fleetlog.Client(embedded_target).read_series([long_run.id], ["far", "x"], last=2)
    assert [one.steps.tolist() for one in both] == [[0, (1 << 63) - 1], [199_998, 199_999]]


def test_a_sample_of_a_long_series(embedded_target: str, long_run: fleetlog.RunView) -> None:
    client = fleetlog.Client(embedded_target)
    (one,) = client.read_series([long_run.id], ["x"], sample=4)
    assert one.steps.tolist() == [0, 50_000, 100_000, 150_000, 199_999]
    (one,) = client.read_series([long_run.id], ["x"], sample=2, min_step=10, max_step=19)
    assert one.steps.tolist() == [10, 15, 19]
    assert client.read_series([long_run.id], ["nothing"], sample=2) == []
    assert client.read_series([long_run.id], ["x"], sample=2, min_step=200_000) == []


def test_steps_as_far_as_64_bits_reach(long_run: fleetlog.RunView) -> None:
    assert long_run.buckets("far", 1).counts.tolist() == [3]
    curve = long_run.buckets("far", 10_000)
    assert (curve.steps[0], curve.mins.tolist()) == (-(1 << 63), [1.0, 2.0, 3.0])
    assert long_run.buckets("far", 5, min_step=1).maxs.tolist() == [3.0]


def test_a_run_id_in_any_notation(embedded_target: str, long_run: fleetlog.RunView) -> None:
    assert len(fleetlog.Client(embedded_target).read_metric(long_run.id.upper(), "far")) == 3


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"buckets": 10_001}, "OVER_LIMIT", "buckets"),
        ({"buckets": 10, "last_points": 5}, "BUCKETS_OF_LAST_POINTS", "last_points"),
        ({"keys": []}, "OVER_LIMIT", "keys"),
        ({"keys": ["x"] * 101}, "OVER_LIMIT", "keys"),
        ({"run_ids": []}, "OVER_LIMIT", "run_ids"),
        ({"run_ids": ["../x"]}, "INVALID_ID", "run_ids[0]"),
        ({"ranks": range(1_001)}, "OVER_LIMIT", "ranks"),
        ({"axis": 9}, "AXIS_UNKNOWN", "axis"),
        ({"sample_steps": 10_001}, "OVER_LIMIT", "sample_steps"),
        ({"sample_steps": 5, "last_points": 5}, "SAMPLE_OF_STEPS", "sample_steps"),
        ({"sample_steps": 5, "axis": metric_pb2.METRIC_AXIS_TIME}, "SAMPLE_OF_STEPS", "sample_steps"),
        ({"sample_steps": 5, "run_ids": ["00" * 16] * 101, "keys": ["x"] * 10}, "OVER_LIMIT", "run_ids"),
    ],
)
def test_what_cannot_be_read_is_said(embedded_target: str, changes: dict[str, object], reason: str, field: str) -> None:
    request = metric_pb2.ReadMetricRequest(**{"run_ids": ["00" * 16], "keys": ["x"], **changes})  # type: ignore[arg-type]
    connection = connection_to(embedded_target)
    with pytest.raises(fleetlog.InvalidArgument) as caught, connection.calling():
        list(connection.query.ReadMetric(request, timeout=10))
    assert (caught.value.reason, caught.value.violations[0].field) == (reason, field)
