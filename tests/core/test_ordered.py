from __future__ import annotations

import math

import numpy as np
from fleetlog_core import ordered
from hypothesis import given
from hypothesis import strategies as st

I64 = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(I64, min_size=1, max_size=50))
def test_steps_sort_as_they_are(steps: list[int]) -> None:
    packed = ordered.order_steps(np.array(steps, np.int64)).tolist()
    assert sorted(range(len(steps)), key=steps.__getitem__) == sorted(range(len(steps)), key=packed.__getitem__)
    assert [ordered.step_of(one) for one in packed] == steps


@given(st.lists(st.floats(), min_size=1, max_size=50))
def test_values_sort_as_they_are_with_nan_lowest(values: list[float]) -> None:
    packed = ordered.order_values(np.array(values, np.float64)).tolist()

    def rank(value: float) -> tuple[int, float, float]:
        return (0, 0.0, 0.0) if math.isnan(value) else (1, value, math.copysign(1.0, value))

    assert sorted(range(len(values)), key=lambda n: rank(values[n])) == sorted(
        range(len(values)), key=packed.__getitem__
    )
    for one, value in zip(packed, values, strict=True):
        back = ordered.value_of(one)
        assert (math.isnan(back) and math.isnan(value)) or (
            back == value and math.copysign(1, back) == math.copysign(1, value)
        )


@given(I64, I64, st.floats(allow_nan=False))
def test_points_come_back(step: int, time: int, value: float) -> None:
    steps, times, values = np.array([step]), np.array([time]), np.array([value])
    words = ordered.order_steps(steps), ordered.order_steps(times), ordered.order_values(values)
    assert ordered.unpack_point(ordered.pack192(*words)[0].tobytes()) == (step, time, value)
    assert ordered.unpack_low(ordered.pack128(words[2], words[0])[0].tobytes()) == (value, step)
    assert ordered.unpack_high(ordered.pack128(words[2], ~words[0])[0].tobytes()) == (value, step)


def test_moments_of_a_column_are_those_of_its_points() -> None:
    steps = np.array([0, -3, (1 << 63) - 1, -(1 << 63)], np.int64)
    times = np.array([1_700_000_000_000, 0, -1, 5], np.int64)
    values = ordered.order_values(np.array([1.0, -1.0, math.nan, 0.0]))
    packed = ordered.pack192(ordered.order_steps(steps), ordered.order_steps(times), values)
    found_steps, found_times = ordered.unpack_moments(packed)
    assert (found_steps.tolist(), found_times.tolist()) == (steps.tolist(), times.tolist())


def test_a_column_of_values_comes_back() -> None:
    values = np.array([math.nan, -math.inf, -1.5, -0.0, 0.0, 5e-324, 1e308, math.inf])
    assert list(map(repr, ordered.values_of(ordered.order_values(values)).tolist())) == list(map(repr, values.tolist()))
