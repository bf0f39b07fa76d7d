"""The table of deliveries: how each went. Written by the deliverer, read by it and by those who ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.warehouse.port import Coded, Column, Statement
from fleetlog_core.webhooks.states import Select
from fleetlog_proto.v1 import webhook_pb2

PENDING = webhook_pb2.DELIVERY_STATE_PENDING
DELIVERED = webhook_pb2.DELIVERY_STATE_DELIVERED
DEAD = webhook_pb2.DELIVERY_STATE_DEAD
DROPPED = webhook_pb2.DELIVERY_STATE_DROPPED


_ID = re.compile(r"([0-9]{1,19})-([0-9]{1,19})-([0-9]{1,10})")


@dataclass(frozen=True, slots=True, order=True)
class DeliveryKey:
    """Which change is told to which webhook: place `place` among what the intent at offset `ver` changed."""

    ver: int
    place: int
    webhook_id: int
    namespace: str

    @classmethod
    def place_of(cls, text: str, webhook_id: int) -> tuple[int, int]:
        """Returns offset and place of an id that a receiver sees. PAGE_TOKEN_INVALID when it is none of the webhook."""
        match = _ID.fullmatch(text)
        if match is None or int(match[1]) != webhook_id or int(match[2]) >= 1 << 63 or int(match[3]) >= 1 << 32:
            raise InvalidArgument.of_field(
                "PAGE_TOKEN_INVALID", "page_token", f"{shown(text)} is of no page of this list; begin with none"
            )
        return int(match[2]), int(match[3])

    @property
    def text(self) -> str:
        """The id that the receiver sees, the same in every attempt."""
        return f"{self.webhook_id}-{self.ver}-{self.place}"


@dataclass(frozen=True, slots=True)
class Attempted:
    """How a delivery stands after its last attempt. Times are Unix milliseconds; `next_time` 0 = it is over."""

    key: DeliveryKey
    event: str
    state: int
    attempts: int
    status: int
    error: str
    time: int
    next_time: int


def columns_of_attempts(rows: Sequence[Attempted]) -> dict[str, Column]:
    """Returns the rows as the table's columns."""
    return {
        "namespace": _coded([row.key.namespace for row in rows]),
        "webhook_id": np.array([row.key.webhook_id for row in rows], np.uint64),
        "ver": np.array([row.key.ver for row in rows], np.uint64),
        "place": np.array([row.key.place for row in rows], np.uint32),
        "event": _coded([row.event for row in rows]),
        "state": np.array([row.state for row in rows], np.uint8),
        "attempts": np.array([row.attempts for row in rows], np.uint32),
        "status": np.array([row.status for row in rows], np.uint16),
        "error": [row.error for row in rows],
        "time": np.array([row.time for row in rows], np.int64),
        "next_time": np.array([row.next_time for row in rows], np.int64),
    }


def read_attempts(select: Select, namespace: str, first: int, last: int) -> dict[DeliveryKey, Attempted]:
    """Returns what is known of deliveries of the intents from offset `first` to `last`."""
    answer = select(
        Statement(
            f"SELECT {_COLUMNS} FROM webhook_deliveries FINAL WHERE namespace = {{namespace:String}}"
            " AND ver >= {first:UInt64} AND ver <= {last:UInt64}",
            {"namespace": namespace, "first": first, "last": last},
        )
    )
    numbers = [answer.array(name).tolist() for name in _NUMBERS]
    found: dict[DeliveryKey, Attempted] = {}
    for (webhook_id, ver, place, state, attempts, status, time, next_time), event, error in zip(
        zip(*numbers, strict=True), answer.texts("event"), answer.texts("error"), strict=True
    ):
        key = DeliveryKey(ver, place, webhook_id, namespace)
        found[key] = Attempted(key, event, state, attempts, status, error, time, next_time)
    return found


def read_deliveries(
    select: Select, namespace: str, webhook_id: int, state: int, count: int, behind: tuple[int, int] | None = None
) -> list[webhook_pb2.WebhookDelivery]:
    """Returns deliveries of a webhook, those of the latest changes first. `state` 0: in any. `behind`: offset and place
    of the one before."""
    only = " AND state = {state:UInt8}" if state else ""
    ver, place = behind or (0, 0)
    if behind is not None:
        only += " AND (ver, place) < ({ver:UInt64}, {place:UInt32})"
    answer = select(
        Statement(
            f"SELECT {_COLUMNS} FROM webhook_deliveries FINAL WHERE namespace = {{namespace:String}}"
            f" AND webhook_id = {{id:UInt64}}{only} ORDER BY ver DESC, place DESC LIMIT {count}",
            {"namespace": namespace, "id": webhook_id, "state": state, "ver": ver, "place": place},
        )
    )
    numbers = [answer.array(name).tolist() for name in _NUMBERS]
    return [
        webhook_pb2.WebhookDelivery(
            delivery_id=DeliveryKey(ver, place, webhook, namespace).text,
            event=event,
            state=standing,
            attempts=attempts,
            status=status,
            error=error,
            time_millis=time,
            next_time_millis=next_time,
        )
        for (webhook, ver, place, standing, attempts, status, time, next_time), event, error in zip(
            zip(*numbers, strict=True), answer.texts("event"), answer.texts("error"), strict=True
        )
    ]


_NUMBERS = ("webhook_id", "ver", "place", "state", "attempts", "status", "tried", "next_try")
_COLUMNS = (
    "webhook_id, ver, place, state, attempts, status, toUnixTimestamp64Milli(time) AS tried,"
    " toUnixTimestamp64Milli(next_time) AS next_try, event, error"
)


def _coded(values: Sequence[str]) -> Coded:
    texts = list(dict.fromkeys(values))
    places = {text: place for place, text in enumerate(texts)}
    return Coded(np.array([places[value] for value in values], np.uint32), texts)
