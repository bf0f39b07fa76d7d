"""Summaries against the plain definition, whatever the order and the batches in which points come."""

from __future__ import annotations

import math
import struct

import numpy as np
from fleetlog_core.ordered import order_steps, order_values, unpack_high, unpack_low, unpack_point
from fleetlog_core.warehouse.port import Coded
from fleetlog_ingest.materializer.fold.points import Points, PointSink
from fleetlog_ingest.materializer.fold.summaries import summarize
from fleetlog_ingest.materializer.fold.tables import Columns
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.materializer.builders import NOW, RUN, metrics

values = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0]), st.floats(-1e100, 1e100, allow_subnormal=False)
)
steps = st.one_of(st.integers(-300, 300), st.sampled_from([-(2**61), 2**61]))
events = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.lists(st.tuples(steps, values), min_size=1, max_size=12)),
    min_size=1,
    max_size=8,
)


def gather(parts: list[tuple[str, list[tuple[int, float]]]]) -> Points:
    sink = PointSink()
    for place, (key, points) in enumerate(parts):
        assert sink.add("default", RUN, 0, -1, place, metrics(1, **{key: points}).metrics_logged, NOW)
    gathered = sink.finish()
    assert gathered is not None
    return gathered


def rows(columns: Columns) -> list[dict[str, object]]:
    plain: dict[str, list[object]] = {}
    for name, column in columns.items():
        if isinstance(column, Coded):
            plain[name] = [column.texts[code] for code in column.codes]
        elif isinstance(column, np.ndarray):
            plain[name] = [cell.tobytes() for cell in column] if column.dtype.kind == "V" else column.tolist()
        else:
            plain[name] = list(column)
    return [dict(zip(plain, cells, strict=True)) for cells in zip(*plain.values(), strict=True)]


def rank(step: int, value: float) -> tuple[int, int]:
    return int(order_steps(np.array([step]))[0]), int(order_values(np.array([value]))[0])


def same(one: float, other: float) -> bool:
    return struct.pack("<d", one) == struct.pack("<d", other) or (math.isnan(one) and math.isnan(other))


@given(events)
def test_a_series_row_is_what_its_definition_says(parts: list[tuple[str, list[tuple[int, float]]]]) -> None:
    series, attrs, _ = summarize(gather(parts))
    by_key = {str(row["key"]): row for row in rows(series)}
    latest = {str(row["key"]): row for row in rows(attrs)}
    assert by_key.keys() == {key for key, _ in parts}
    for key, row in by_key.items():
        points = [point for name, found in parts if name == key for point in found]
        numbers = [(step, value) for step, value in points if not math.isnan(value)]
        assert row["n"] == len(points)
        assert row["nans"] == len(points) - len(numbers)
        assert row["minv"] == min((value for _, value in numbers), default=math.inf)
        assert row["maxv"] == max((value for _, value in numbers), default=-math.inf)
        last, first = max(points, key=lambda p: rank(*p)), min(points, key=lambda p: rank(*p))
        for name, expected in (("last", last), ("first", first)):
            step, time, value = unpack_point(bytes(row[name]))  # type: ignore[call-overload]
            assert (step, time) == (expected[0], NOW)
            assert same(value, expected[1])
        assert latest[key]["ver"] == row["last"]
        assert same(float(latest[key]["num"]), last[1])  # type: ignore[arg-type]
        if numbers:
            low = min(numbers, key=lambda p: (rank(*p)[1], p[0]))
            high = max(numbers, key=lambda p: (rank(*p)[1], -p[0]))
            value, step = unpack_low(bytes(row["low"]))  # type: ignore[call-overload]
            assert same(value, low[1])
            assert step == low[0]
            value, step = unpack_high(bytes(row["high"]))  # type: ignore[call-overload]
            assert same(value, high[1])
            assert step == high[0]
        else:
            assert row["low"] == b"\xff" * 16
            assert row["high"] == bytes(16)


@given(events)
def test_rollup_rows_add_up_to_the_buckets(parts: list[tuple[str, list[tuple[int, float]]]]) -> None:
    _, _, rollup = summarize(gather(parts))
    found: dict[tuple[object, object], list[int]] = {}
    for row in rows(rollup):
        count = found.setdefault((row["key"], row["b"]), [0, 0])
        count[0] += int(str(row["n"]))
        count[1] += int(str(row["nans"]))
    expected: dict[tuple[object, object], list[int]] = {}
    for key, points in parts:
        for step, value in points:
            count = expected.setdefault((key, step // 128), [0, 0])
            count[0] += 1
            count[1] += math.isnan(value)
    assert found == expected


def test_steps_that_jump_about_make_few_rollup_rows() -> None:
    points = [(place * 7919 % 1280, 1.0) for place in range(1280)]
    _, _, rollup = summarize(gather([("a", points)]))
    assert len(rows(rollup)) == 10


def test_columns_of_different_lengths_are_not_taken() -> None:
    event = metrics(1, a=[(1, 1.0), (2, 2.0)])
    event.metrics_logged.columns.add(key="b").values.append(1.0)
    sink = PointSink()
    assert not sink.add("default", RUN, 0, -1, 0, event.metrics_logged, NOW)
    assert sink.finish() is None
