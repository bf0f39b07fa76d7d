"""Token bucket: an amount a second, of which some seconds' worth may be spent at once. Pure: the time is told."""

from __future__ import annotations


class TokenBucket:
    """Spends before it asks: what is above the burst is a debt, and the time until it is paid is what one waits.

    So something that is larger than the burst is let through once, and callers who wait have their turns in the order
    in which they came.
    """

    __slots__ = ("_at", "_used", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """`rate` per second, above 0; `burst`: amount that may be spent at once."""
        self.rate, self.burst = rate, burst
        self._used = 0.0
        self._at = now

    def used(self, now: float) -> float:
        """Amount of the burst that is spent, and not won back yet; above the burst it is a debt."""
        # A clock that two threads read may seem to go back.
        elapsed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._used = max(0.0, self._used - elapsed * self.rate)
        return self._used

    def spend(self, amount: float, now: float) -> None:
        """Spend, whatever is left."""
        self._used = self.used(now) + amount

    def seconds_until(self, now: float, amount: float = 0.0) -> float:
        """Seconds until there is no debt after this amount more is spent; 0.0: now."""
        return max(0.0, self.used(now) + amount - self.burst) / self.rate

    def change(self, rate: float, burst: float, now: float) -> None:
        """Other limits from now on; what is spent stays spent."""
        self.used(now)
        self.rate, self.burst = rate, burst
