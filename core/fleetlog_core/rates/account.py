"""What one caller, or one namespace, has used of its limits. Thread-safe; the time is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.rates.bucket import TokenBucket
from fleetlog_core.rates.limits import LASTING_REASONS, RATE_REASONS, WORDS, Lasting, Limits, Rate

LASTING_RETRY_SECONDS = 5.0
LEAST_RETRY_SECONDS = 0.05


class Account:
    """See the module. `owner` is for messages: "this caller"."""

    def __init__(self, owner: str, prefix: str) -> None:
        """`prefix`: what stands before the names of its limits in the settings."""
        self._owner, self._prefix = owner, prefix
        self._lock = threading.Lock()
        self._buckets: dict[Rate, TokenBucket] = {}
        self._open: Counter[Lasting] = Counter()

    def set(self, limits: Limits, burst_seconds: float, now: float) -> None:
        """Hold to these limits from now on."""
        with self._lock:
            for kind in Rate:
                rate = limits.rate(kind)
                bucket = self._buckets.get(kind)
                if not rate:
                    self._buckets.pop(kind, None)
                elif bucket is None:
                    self._buckets[kind] = TokenBucket(rate, rate * burst_seconds, now)
                else:
                    bucket.change(rate, rate * burst_seconds, now)

    def spend(self, costs: Mapping[Rate, float], now: float) -> None:
        """Spend what something cost, whatever is left."""
        with self._lock:
            for kind, amount in costs.items():
                bucket = self._buckets.get(kind)
                if bucket is not None:
                    bucket.spend(amount, now)

    def debt(self, kinds: tuple[Rate, ...], now: float, amount: float = 0.0) -> tuple[float, Rate | None]:
        """Seconds until nothing of the kinds is above its limit if this much more is spent, and which takes longest."""
        longest, which = 0.0, None
        with self._lock:
            for kind in kinds:
                bucket = self._buckets.get(kind)
                if bucket is not None and (seconds := bucket.seconds_until(now, amount)) > longest:
                    longest, which = seconds, kind
        return longest, which

    def over(self, kind: Rate, seconds: float, now: float) -> ResourceExhausted:
        """The error for who is above a rate, and is to come back after so many seconds."""
        with self._lock:
            bucket = self._buckets.get(kind)
            rate, burst, used = (bucket.rate, bucket.burst, bucket.used(now)) if bucket else (0.0, 0.0, 0.0)
        seconds = max(LEAST_RETRY_SECONDS, seconds)
        return ResourceExhausted(
            RATE_REASONS[kind],
            f"{WORDS[kind]}: {self._owner} used {used:,.6g}, and has {burst:,.6g}, won back at {rate:,.6g} a second"
            f" (limits.{self._prefix}{kind.value} of the server); ask again in {seconds:,.1f} s, or ask for less",
            metadata={"limit": f"{rate:.6g}", "used": f"{used:.6g}", "burst": f"{burst:.6g}"},
            retry_after_seconds=seconds,
        )

    def open(self, kind: Lasting, limits: Limits) -> None:
        """One more that lasts. ResourceExhausted."""
        most = limits.most(kind)
        with self._lock:
            count = self._open[kind]
            if not most or count < most:
                self._open[kind] += 1
                return
        raise ResourceExhausted(
            LASTING_REASONS[kind],
            f"{WORDS[kind]}: {self._owner} has {count:,} open, at most {most:,} (limits.{self._prefix}{kind.value} of"
            " the server); end some, or ask again later",
            metadata={"limit": str(most), "used": str(count)},
            retry_after_seconds=LASTING_RETRY_SECONDS,
        )

    def close(self, kind: Lasting) -> None:
        """One that lasted ended."""
        with self._lock:
            self._open[kind] -= 1

    def is_idle(self, now: float) -> bool:
        """True if it has nothing open and owes nothing: forgetting it changes nothing."""
        with self._lock:
            return not any(self._open.values()) and not any(one.used(now) for one in self._buckets.values())
