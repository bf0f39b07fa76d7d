from __future__ import annotations

import pytest
from fleetlog_core.rates.bucket import TokenBucket
from hypothesis import given
from hypothesis import strategies as st


def test_a_burst_is_free_and_what_is_above_it_is_waited_for() -> None:
    bucket = TokenBucket(rate=10, burst=100, now=0)
    bucket.spend(100, 0)
    assert bucket.seconds_until(0) == 0
    bucket.spend(50, 0)
    assert bucket.seconds_until(0) == 5
    assert bucket.seconds_until(3) == 2
    assert bucket.seconds_until(5) == 0
    assert bucket.used(5) == 100


def test_what_is_won_back_is_never_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=100, now=0)
    bucket.spend(1, 0)
    assert bucket.used(1_000) == 0
    bucket.spend(101, 1_000)
    assert bucket.seconds_until(1_000) == pytest.approx(0.1)


def test_one_that_is_larger_than_the_burst_is_taken_once_and_paid_for_afterwards() -> None:
    bucket = TokenBucket(rate=1, burst=10, now=0)
    assert bucket.seconds_until(0) == 0
    bucket.spend(70, 0)
    assert bucket.seconds_until(0) == 60


def test_other_limits_keep_what_is_spent() -> None:
    bucket = TokenBucket(rate=10, burst=100, now=0)
    bucket.spend(100, 0)
    bucket.change(rate=5, burst=50, now=0)
    assert bucket.seconds_until(0) == 10


def test_a_clock_that_seems_to_go_back_wins_nothing_back_twice() -> None:
    bucket = TokenBucket(rate=1, burst=1, now=0)
    bucket.spend(10, 5)
    assert (bucket.used(4), bucket.used(5), bucket.used(6)) == (10, 10, 9)


@given(st.lists(st.tuples(st.floats(0, 1_000), st.floats(0, 100)), max_size=50))
def test_whoever_waits_until_it_is_paid_never_has_more_than_the_rate_and_the_burst(
    spent: list[tuple[float, float]],
) -> None:
    bucket, now, taken = TokenBucket(rate=7, burst=20, now=0), 0.0, 0.0
    for amount, pause in spent:
        now += pause + bucket.seconds_until(now + pause)
        taken += amount
        bucket.spend(amount, now)
        assert taken - amount <= 20 + 7 * now + 1e-6 * (1 + taken)
