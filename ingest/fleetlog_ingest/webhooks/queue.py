"""Deliveries that are not over: which are due, which are under way, and up to where the log is done. Pure.

pending     waits for its time.
under way   is being sent; of each webhook one at a time, so that a slow target holds up itself alone.
over        delivered, dead or dropped, and in the table: forgotten here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fleetlog_ingest.webhooks.deliveries import DEAD, DELIVERED, PENDING, Attempted, DeliveryKey

DAY_MILLIS = 24 * 60 * 60 * 1000
"""How long a delivery that fails is tried again, from when the change was taken."""
FIRST_PAUSE_MILLIS = 1_000
LONGEST_PAUSE_MILLIS = 60 * 60 * 1000
MAX_WAITING = 10_000
"""Maximum deliveries of one webhook that wait; beyond it they are dead at once, so that no target holds up others."""


MAX_BODY_BYTES = 32 * 1024 * 1024
"""Bytes of bodies that are kept of what waits. Of what comes beyond it the body is made anew when it is due."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to tell a webhook. Times are Unix milliseconds."""

    key: DeliveryKey
    event: str
    body: bytes | None
    """None: so much waits that it was not kept."""
    since: int
    """When the change was taken."""
    attempts: int = 0
    due: int = 0


def after_attempt(delivery: Delivery, status: int, error: str, now: int) -> Attempted:
    """Returns how a delivery stands after an attempt: over, or to be tried again later and later for a day."""
    attempts = delivery.attempts + 1
    if not error:
        return Attempted(delivery.key, delivery.event, DELIVERED, attempts, status, "", now, 0)
    if now - delivery.since >= DAY_MILLIS:
        return Attempted(delivery.key, delivery.event, DEAD, attempts, status, error, now, 0)
    pause = min(FIRST_PAUSE_MILLIS << min(attempts - 1, 20), LONGEST_PAUSE_MILLIS)
    return Attempted(delivery.key, delivery.event, PENDING, attempts, status, error, now, now + pause)


class DeliveryQueue:
    """Deliveries in the order of the log."""

    def __init__(self) -> None:
        self._pending: dict[DeliveryKey, Delivery] = {}
        self._under_way: set[DeliveryKey] = set()
        self._read = 0
        self._body_bytes = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def body_bytes(self) -> int:
        """Bytes of the bodies that are kept, at most MAX_BODY_BYTES."""
        return self._body_bytes

    @property
    def position(self) -> int:
        """Next offset of the log below which everything is over."""
        return min((key.ver for key in self._pending), default=self._read)

    def add(self, deliveries: Sequence[Delivery], next_offset: int) -> list[Delivery]:
        """Take what the log has before `next_offset`. Returns those over MAX_WAITING, as being under way."""
        waiting = Counter(key.webhook_id for key in self._pending)
        over: list[Delivery] = []
        for one in deliveries:
            self._keep(one)
            waiting[one.key.webhook_id] += 1
            if waiting[one.key.webhook_id] > MAX_WAITING:
                self._under_way.add(one.key)
                over.append(one)
        self._read = max(self._read, next_offset)
        return over

    def take_due(self, now: int, most: int) -> list[Delivery]:
        """Returns at most `most` deliveries whose time has come, as being under way."""
        busy = {key.webhook_id for key in self._under_way}
        found: list[Delivery] = []
        for key in sorted(self._pending):
            if len(found) >= most:
                break
            if key.webhook_id not in busy and self._pending[key].due <= now:
                found.append(self._pending[key])
                self._under_way.add(key)
                busy.add(key.webhook_id)
        return found

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """They are not under way after all."""
        self._under_way.difference_update(one.key for one in deliveries)

    def settle(self, attempted: Attempted) -> None:
        """Take how an attempt went, once it is in the table."""
        self._under_way.discard(attempted.key)
        delivery = self._drop(attempted.key)
        if delivery is not None and attempted.state == PENDING:
            self._keep(replace(delivery, attempts=attempted.attempts, due=attempted.next_time))

    def next_due(self) -> int | None:
        """Returns when the next delivery is due that is not under way; None = there is none."""
        waiting = [one.due for key, one in self._pending.items() if key not in self._under_way]
        return min(waiting, default=None)

    def forget(self) -> None:
        """Begin anew: another member has the log."""
        self._pending.clear()
        self._under_way.clear()
        self._read = self._body_bytes = 0

    def _keep(self, delivery: Delivery) -> None:
        self._drop(delivery.key)
        size = len(delivery.body or b"")
        if self._body_bytes + size > MAX_BODY_BYTES:
            delivery, size = replace(delivery, body=None), 0
        self._body_bytes += size
        self._pending[delivery.key] = delivery

    def _drop(self, key: DeliveryKey) -> Delivery | None:
        delivery = self._pending.pop(key, None)
        if delivery is not None:
            self._body_bytes -= len(delivery.body or b"")
        return delivery
