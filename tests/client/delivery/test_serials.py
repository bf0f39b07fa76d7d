"""Serials: whatever the order of the answers, what is below the lowest without one is known."""

from __future__ import annotations

from fleetlog._delivery.serials import Serials
from hypothesis import given
from hypothesis import strategies as st


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_low_is_the_first_without_an_answer(order: list[int], answered: int) -> None:
    serials = Serials()
    assert serials.give(8) == 1
    for serial in order[:answered]:
        serials.answered(serial)
    left = set(order[answered:])
    assert serials.low == min(left, default=9)
    assert serials.outstanding == len(left)
