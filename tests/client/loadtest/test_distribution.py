from __future__ import annotations

import json
import math

import pytest
from fleetlog.loadtest.distribution import WIDTH, Distribution
from hypothesis import given
from hypothesis import strategies as st

SECONDS = st.lists(st.floats(1e-5, 1e4), min_size=1, max_size=60)


def of(seconds: list[float]) -> Distribution:
    found = Distribution()
    for one in seconds:
        found.add(one)
    return found


@given(seconds=SECONDS, share=st.floats(0.01, 1.0))
def test_a_quantile_is_never_below_and_at_most_a_hundredth_above(seconds: list[float], share: float) -> None:
    exact = sorted(seconds)[max(1, math.ceil(share * len(seconds))) - 1]
    told = of(seconds).quantile(share)
    assert exact * (1 - 1e-9) <= told <= exact * (1 + WIDTH) * (1 + 1e-9)


@given(one=SECONDS, other=SECONDS)
def test_those_of_two_machines_add_up(one: list[float], other: list[float]) -> None:
    both = Distribution.of(json.loads(json.dumps(of(one).to_dict())))
    both.merge(of(other))
    together = of(one + other)
    assert (both.count, both.max) == (together.count, together.max)
    assert both.mean == pytest.approx(together.mean)
    assert [both.quantile(share) for share in (0.1, 0.5, 0.9)] == [together.quantile(s) for s in (0.1, 0.5, 0.9)]


def test_of_none_everything_is_nothing() -> None:
    assert (Distribution().quantile(0.5), Distribution().mean, Distribution().max) == (0.0, 0.0, 0.0)


def test_a_clock_that_was_set_back_counts_as_no_time() -> None:
    found = of([-5.0, 1.0])
    assert (found.count, found.max) == (2, 1.0)
    assert found.quantile(0.5) < 1e-5
