"""States of webhooks as the tables keep them, and reads of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleetlog_proto.v1 import webhook_pb2

from fleetlog_core.warehouse.port import Answer, Bind, Statement

Select = Callable[[Statement], Answer]


@dataclass(frozen=True, slots=True)
class KeptWebhook:
    """A webhook, and its secret as it is encrypted."""

    webhook: webhook_pb2.Webhook
    sealed_secret: bytes = b""

    @property
    def webhook_id(self) -> int:
        """Its id."""
        return self.webhook.webhook_id


def to_text(webhook: webhook_pb2.Webhook) -> str:
    """Returns the state as JSON, the same text for the same state."""
    plain = {field.name: list(value) if field.is_repeated else value for field, value in webhook.ListFields()}
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def read_webhooks(select: Select, namespace: str, before: int | None = None) -> dict[int, KeptWebhook]:
    """Returns the webhooks of a namespace that are not deleted, by id. `before`: as of that offset of the log."""
    binds: dict[str, Bind] = {"namespace": namespace}
    within = "namespace = {namespace:String}"
    if before is not None:
        within += " AND ver < {before:UInt64}"
        binds["before"] = before
    answer = select(
        Statement(
            "SELECT webhook_id, argMax(state, ver) AS last_state, argMax(sealed_secret, ver) AS last_secret"
            f" FROM webhooks WHERE {within} GROUP BY webhook_id HAVING argMax(deleted, ver) = 0 ORDER BY webhook_id",
            binds,
        )
    )
    return _kept(zip(answer.texts("last_state"), answer.texts("last_secret"), strict=True))


def webhook_at(select: Select, namespace: str, webhook_id: int, ver: int) -> webhook_pb2.Webhook | None:
    """Returns what the intent at an offset left of a webhook; None = nothing is there."""
    answer = select(
        Statement(
            "SELECT state FROM webhooks WHERE namespace = {namespace:String} AND webhook_id = {id:UInt64}"
            " AND ver = {ver:UInt64} LIMIT 1",
            {"namespace": namespace, "id": webhook_id, "ver": ver},
        )
    )
    return webhook_pb2.Webhook(**json.loads(answer.texts("state")[0])) if answer.rows else None


def _kept(rows: Iterable[tuple[str, str]]) -> dict[int, KeptWebhook]:
    found = (KeptWebhook(webhook_pb2.Webhook(**json.loads(state)), bytes.fromhex(secret)) for state, secret in rows)
    return {one.webhook_id: one for one in found}
