"""Quantiles of Student's t.

P(|T| > t) for n degrees of freedom is I_x(n/2, 1/2) with x = n / (n + t²) (Abramowitz & Stegun 26.7.1 and 26.5.27);
I, the regularised incomplete beta function, is taken from its continued fraction (DLMF 8.17.22) by Lentz's method as
Thompson & Barnett (1986) have it. The quantile is found by Newton steps that a bracket keeps in bounds. Relative
error of quantiles: below 1e-9.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300
_STEPS = 10_000
_MANY = 10_000
"""Degrees of freedom from which on the expansion around the normal quantile is exact to the last digits."""


@lru_cache(maxsize=4_096)
def two_sided(confidence: float, freedom: int) -> float:
    """The t for which |T| is below it with this probability: confidence in (0, 1), freedom at least 1."""
    if not 0 < confidence < 1 or freedom < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1, or freedom {freedom} below 1")
    outside = 1 - confidence
    guess = _expanded(outside, freedom)
    if freedom >= _MANY:
        return guess
    low, high = 0.0, max(guess, 1.0)
    while beyond(high, freedom) > outside:
        low, high = high, high * 2
    t = min(max(guess, low), high)
    for _ in range(200):
        error = beyond(t, freedom) - outside
        low, high = (t, high) if error > 0 else (low, t)
        step = t + error / (2 * _density(t, freedom))
        following = step if low < step < high else (low + high) / 2
        if abs(following - t) <= 1e-14 * following:
            return following
        t = following
    return t


def beyond(t: float, freedom: int) -> float:
    """P(|T| > t), t at least 0."""
    if t * t < freedom:
        # Near 0 the complement keeps its digits: I_x(a, b) = 1 - I_(1-x)(b, a).
        return 1 - _beta(0.5, freedom / 2, t * t / (freedom + t * t), freedom / (freedom + t * t))
    return _beta(freedom / 2, 0.5, freedom / (freedom + t * t), t * t / (freedom + t * t))


def _density(t: float, freedom: int) -> float:
    logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return max(math.exp(logs - (freedom + 1) / 2 * math.log1p(t * t / freedom)), _TINY)


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b); `rest` is 1 - x with all its digits."""
    if x <= 0:
        return 0.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, rest, x)
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    # Lentz: numerator and denominator of the convergents as ratios, so that neither overflows.
    ratio, inverse = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    fraction = inverse
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            ratio = _off_zero(1 + term / ratio)
            inverse = 1 / _off_zero(1 + term * inverse)
            fraction *= ratio * inverse
        if abs(ratio * inverse - 1) < 1e-16:
            break
    return math.exp(logs) * fraction / a


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _expanded(outside: float, freedom: int) -> float:
    """Abramowitz & Stegun 26.7.5: exact for many degrees of freedom, near enough to begin with for few."""
    # The lower tail keeps the digits of small probabilities.
    z = -NormalDist().inv_cdf(outside / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))
