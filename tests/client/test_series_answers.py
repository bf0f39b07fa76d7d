"""Series and buckets: requests of what was asked for, and answers put together from their parts."""

from __future__ import annotations

import struct
from array import array
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fleetlog._views.series import Buckets, Series, Which, gather, metric_request
from fleetlog.errors import FleetlogError, InvalidArgument
from fleetlog_proto.v1 import metric_pb2

RUN = "0" * 31 + "1"


def longs(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def doubles(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def points(*steps: int, **fields: Any) -> metric_pb2.ReadMetricResponse:
    chunk = metric_pb2.PointChunk(steps=longs(*steps), times_millis=longs(*steps), values=doubles(*steps))
    return metric_pb2.ReadMetricResponse(parts=[metric_pb2.MetricPart(run_id=RUN, key="x", points=chunk, **fields)])


def test_a_request_says_what_was_asked_for() -> None:
    which = Which(axis="relative", min_step=-3, min_time=timedelta(seconds=2), max_time=5_000, ranks=[0, -1])
    request = metric_request([RUN], "x", which, last=7, per_rank=True)
    assert (list(request.run_ids), list(request.keys), request.last_points, request.per_rank) == ([RUN], ["x"], 7, True)
    assert (request.axis, request.min_step) == (metric_pb2.METRIC_AXIS_RELATIVE_TIME, -3)
    assert (request.min_time_millis, request.max_time_millis, list(request.ranks)) == (2_000, 5_000, [0, -1])
    assert not request.HasField("max_step")
    times = metric_request([RUN], ["x"], Which(min_time=datetime(1970, 1, 1, 0, 1, tzinfo=UTC)))
    assert times.min_time_millis == 60_000


@pytest.mark.parametrize(
    "wrong",
    [{"axis": "steps"}, {"min_step": 0.5}, {"min_time": "soon"}, {"ranks": [-2]}, {"step": 5}, {"max_step": 1 << 63}],
    ids=str,
)
def test_a_request_that_can_not_be_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        metric_request([RUN], ["x"], wrong)


def test_a_series_is_put_together_from_its_parts() -> None:
    request = metric_request([RUN], ["x"], Which())
    series, buckets = gather([points(1, 2), points(), points(3)], request, "server")
    assert (len(series), buckets, series[0].steps.tolist(), series[0].rank) == (1, [], [1, 2, 3], None)
    assert (series[0].run_id, series[0].key, len(series[0])) == (RUN, "x", 3)


def test_ranks_are_series_by_themselves() -> None:
    request = metric_request([RUN], ["x"], Which(), per_rank=True)
    series, _ = gather([points(1, rank=0), points(2, rank=1), points(3, rank=0)], request, "server")
    assert [(one.rank, one.steps.tolist()) for one in series] == [(0, [1, 3]), (1, [2])]


@pytest.mark.parametrize(
    ("answer", "most"), [(points(1, rank=0), 10), (points(1, 2), 1)], ids=["a rank", "more than were asked for"]
)
def test_what_was_not_asked_for_is_a_bad_answer(answer: metric_pb2.ReadMetricResponse, most: int) -> None:
    with pytest.raises(FleetlogError) as error:
        gather([answer], metric_request([RUN], ["x"], Which()), "server", most)
    assert error.value.reason == "BAD_ANSWER"


def test_columns_are_numpy_and_can_not_be_written_to() -> None:
    series = Series("x", longs(1), longs(2), doubles(0.5))
    assert [column.dtype.str for column in (series.steps, series.times, series.values)] == ["<i8", "<i8", "<f8"]
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 1.0


def test_without_numpy_columns_are_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    series = Series("x", longs(1, 2), longs(3, 4), doubles(0.5, 0.25))
    assert (series.steps, series.values) == (array("q", [1, 2]), array("d", [0.5, 0.25]))


def test_buckets_have_all_their_columns() -> None:
    chunk = metric_pb2.BucketChunk(
        steps=longs(0, 10), counts=longs(3, 4), mins=doubles(1, 2), maxs=doubles(5, 6), means=doubles(3, 4)
    )
    frame = Buckets("x", [chunk, chunk]).to_pandas()
    assert frame.columns.tolist() == ["step", "count", "nans", "min", "max", "mean"]
    assert frame["nans"].tolist() == [0, 0, 0, 0]
    assert frame["count"].tolist() == [3, 4, 3, 4]
