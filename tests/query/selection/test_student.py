"""Student's t against closed forms, printed tables and plain numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fleetlog_query.selection.student import beyond, two_sided
from hypothesis import given
from hypothesis import strategies as st

CONFIDENCE = st.floats(0.001, 1 - 1e-9)


@given(confidence=CONFIDENCE)
def test_few_degrees_of_freedom_have_closed_forms(confidence: float) -> None:
    outside = 1 - confidence
    assert two_sided(confidence, 1) == pytest.approx(1 / math.tan(math.pi * outside / 2), rel=1e-9)
    assert two_sided(confidence, 2) == pytest.approx(confidence * math.sqrt(2 / (outside * (2 - outside))), rel=1e-9)


@pytest.mark.parametrize(
    ("confidence", "freedom", "printed"),
    [
        (0.95, 1, 12.7062), (0.95, 2, 4.30265), (0.95, 3, 3.18245), (0.95, 4, 2.77645), (0.99, 4, 4.60409),
        (0.90, 5, 2.01505), (0.98, 9, 2.82144), (0.95, 10, 2.22814), (0.999, 30, 3.64596), (0.95, 100, 1.98397),
        (0.50, 7, 0.71114), (0.95, 10**9, 1.95996),
    ],
)  # fmt: skip
def test_as_printed(confidence: float, freedom: int, printed: float) -> None:
    assert two_sided(confidence, freedom) == pytest.approx(printed, abs=6e-5)


@given(confidence=CONFIDENCE, freedom=st.integers(1, 10**8))
def test_a_quantile_has_its_probability(confidence: float, freedom: int) -> None:
    t = two_sided(confidence, freedom)
    if freedom < 10**5:
        assert beyond(t, freedom) == pytest.approx(1 - confidence, rel=1e-8)
    assert two_sided(confidence, freedom + 1) <= t * (1 + 1e-9)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 29, 300, 20_000])
@pytest.mark.parametrize("confidence", [0.01, 0.5, 0.95, 0.9999])
def test_the_density_sums_up_to_it(freedom: int, confidence: float) -> None:
    t = np.linspace(0, two_sided(confidence, freedom), 400_001)
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density = np.exp(scale - (freedom + 1) / 2 * np.log1p(t**2 / freedom))
    inside = 2 * np.trapezoid(density, t)
    assert inside == pytest.approx(confidence, rel=1e-7)


@pytest.mark.parametrize(("confidence", "freedom"), [(0, 3), (1, 3), (-0.5, 3), (math.nan, 3), (0.95, 0)])
def test_what_has_no_quantile(confidence: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="confidence"):
        two_sided(confidence, freedom)
