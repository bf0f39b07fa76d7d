"""Webhooks as they were read, and how their deliveries went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fleetlog_proto.v1 import webhook_pb2

from fleetlog._views.views import utc

DeliveryState = Literal["pending", "delivered", "dead", "dropped"]
DELIVERY_STATES: dict[str, webhook_pb2.DeliveryState.ValueType] = {
    "pending": webhook_pb2.DELIVERY_STATE_PENDING,
    "delivered": webhook_pb2.DELIVERY_STATE_DELIVERED,
    "dead": webhook_pb2.DELIVERY_STATE_DEAD,
    "dropped": webhook_pb2.DELIVERY_STATE_DROPPED,
}
_WORDS = {number: word for word, number in DELIVERY_STATES.items()}


@dataclass(frozen=True)
class Webhook:
    """A URL that is told of changes of registered models. Its secret is never shown."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    description: str
    disabled: bool
    """True: it is not told of anything for now."""
    signed: bool
    """True when deliveries are signed with a secret."""
    created: datetime
    updated: datetime
    created_by: str

    @classmethod
    def of(cls, message: webhook_pb2.Webhook) -> Webhook:
        """From the message."""
        return cls(
            message.webhook_id, message.name, message.url, tuple(message.events), message.description,
            message.disabled, message.signed, utc(message.create_time_millis), utc(message.update_time_millis),
            message.create_user,
        )  # fmt: skip


@dataclass(frozen=True)
class WebhookDelivery:
    """A change that a webhook was told of, or is to be."""

    id: str
    """As the header webhook-id, the same in every attempt."""
    event: str
    state: str
    """"pending", "delivered", "dead" (it failed for a day), "dropped" (the webhook was deleted or disabled before)."""
    attempts: int
    status: int
    """HTTP status of the last attempt; 0 = there was no answer."""
    error: str
    """Why the last attempt failed; "" = it did not."""
    time: datetime
    """When the last attempt was made."""
    next_time: datetime | None
    """When the next attempt is due; None = there is none."""

    @classmethod
    def of(cls, message: webhook_pb2.WebhookDelivery) -> WebhookDelivery:
        """From the message."""
        after = utc(message.next_time_millis) if message.next_time_millis else None
        return cls(
            message.delivery_id, message.event, _WORDS.get(message.state, ""), message.attempts, message.status,
            message.error, utc(message.time_millis), after,
        )  # fmt: skip


@dataclass(frozen=True)
class WebhookTest:
    """How a delivery of an example went."""

    status: int
    """HTTP status; 0 = there was no answer."""
    error: str
    """Why it failed; "" = it did not."""
    body: str
    """Beginning of the answer."""
