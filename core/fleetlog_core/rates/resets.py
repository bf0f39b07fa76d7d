"""Calls that are begun and reset at once, by address: who does nothing else is to be kept out. Pure: the time is told.

Words
-----
sample     a call that is looked at: one of some, and only while so many are begun that most of them may be resets
reset      a call that was ended by its peer before any message of it came
refused    an address from which no new connection is taken, for a while, and for longer each time
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

WINDOW_SECONDS = 1.0
"""What was counted for so long is forgotten: a flood is more than a second's hiccup of many clients."""
BUSY_CALLS = 300
"""Calls that are begun in a window from which on some are looked at."""
EVERY = 4
"""Number of calls of which one is looked at."""
LEAST_RESETS = 24
"""Samples of an address that were reset, in a window, from which on it may be refused."""
LEAST_CONNECTIONS = 4
"""Connections that they came over: what resets calls over one or two, such as a proxy, is bounded by its streams."""
SHARE = 0.9
"""Share of an address's samples that were reset, from which on it is refused: others may have the same address."""
REFUSED_SECONDS, MOST_REFUSED_SECONDS = 10.0, 300.0
"""Seconds for which it is refused at first, and at the most: twice as long each time."""
FORGIVEN_SECONDS = 600.0
"""Seconds after which a refusal that is over does not count any more."""
ADDRESSES = 64
"""Addresses that are counted, and that are remembered: those that came last."""


@dataclass(slots=True)
class _Seen:
    """Samples of one address in a window."""

    calls: int = 0
    resets: int = 0
    connections: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Refusal:
    """How long an address is refused, or was."""

    seconds: float
    until: float


class Resets:
    """See the module. For one thread."""

    def __init__(self) -> None:
        self._begun = 0
        self._since = float("-inf")
        self._is_busy = False
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._refusals: OrderedDict[str, _Refusal] = OrderedDict()

    def begin(self, now: float) -> bool:
        """True if the call that begins is a sample: `end` is due after it."""
        if now - self._since >= WINDOW_SECONDS:
            is_next = now - self._since < 2 * WINDOW_SECONDS
            self._is_busy = is_next and self._begun >= BUSY_CALLS
            self._since, self._begun = now, 0
            self._seen.clear()
        self._begun += 1
        if self._begun == BUSY_CALLS:
            self._is_busy = True
        return self._is_busy and self._begun % EVERY == 0

    def end(self, address: str, connection: str, was_reset: bool, now: float) -> bool:
        """What came of a sample. True if the address is to be refused from now on, until `refused` says otherwise."""
        seen = self._seen.pop(address, None) or _Seen()
        self._seen[address] = seen
        if len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        seen.calls += 1
        if not was_reset:
            return False
        seen.resets += 1
        if len(seen.connections) < LEAST_CONNECTIONS:
            seen.connections.add(connection)
        is_flood = (
            seen.resets >= LEAST_RESETS
            and seen.resets >= SHARE * seen.calls
            and len(seen.connections) >= LEAST_CONNECTIONS
        )
        return is_flood and self._refuse(address, now)

    def refused(self, now: float) -> dict[str, float]:
        """Addresses that are refused, each with the time until which it is."""
        return {address: one.until for address, one in self._refusals.items() if one.until > now}

    def _refuse(self, address: str, now: float) -> bool:
        known = self._refusals.get(address)
        if known is not None and known.until > now:
            # Calls that came before it was.
            return False
        is_again = known is not None and now - known.until < FORGIVEN_SECONDS
        seconds = min(MOST_REFUSED_SECONDS, known.seconds * 2) if known is not None and is_again else REFUSED_SECONDS
        self._refusals[address] = _Refusal(seconds, now + seconds)
        self._refusals.move_to_end(address)
        if len(self._refusals) > ADDRESSES:
            self._refusals.popitem(last=False)
        return True
