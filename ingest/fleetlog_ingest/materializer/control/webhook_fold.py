"""Intents on webhooks, decided one after another. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fleetlog_core import limits
from fleetlog_core.webhooks.states import KeptWebhook, to_text
from fleetlog_proto.v1 import frame_pb2, webhook_event_pb2, webhook_pb2

from fleetlog_ingest.materializer.control.outcome import Outcome
from fleetlog_ingest.materializer.fold.tables import Columns, Row, columns_of

WEBHOOK_INTENTS = ("webhook_created", "webhook_updated", "webhook_deleted")
"""By the name of the intent in ControlRecord."""
Webhooks = Mapping[int, KeptWebhook]
"""Webhooks of a namespace that are not deleted, by id."""


class WebhookFold:
    """Decides intents by namespace. Each changes all that it asks for, or nothing."""

    def __init__(self, webhooks: Mapping[str, Webhooks]) -> None:
        self._webhooks = {namespace: dict(found) for namespace, found in webhooks.items()}
        self._rows: list[Row] = []

    def decide(self, control: frame_pb2.ControlRecord, namespace: str, offset: int) -> Outcome:
        """The outcome of one intent. Refused WEBHOOK_NOT_FOUND, TOO_MANY_WEBHOOKS."""
        known = self._webhooks.setdefault(namespace, {})
        if control.WhichOneof("intent") == "webhook_created":
            if len(known) >= limits.WEBHOOKS:
                return Outcome(
                    False,
                    reason="TOO_MANY_WEBHOOKS",
                    message=f"a namespace has at most {limits.WEBHOOKS} webhooks; delete one that is not used",
                )
            kept = _created(control, offset)
        else:
            deletes = control.WhichOneof("intent") == "webhook_deleted"
            webhook_id = (control.webhook_deleted if deletes else control.webhook_updated).webhook_id
            before = known.get(webhook_id)
            if before is None:
                return Outcome(
                    False, reason="WEBHOOK_NOT_FOUND", message=f"webhook_id: there is no webhook {webhook_id}"
                )
            kept = _deleted(before) if deletes else _updated(before, control.webhook_updated)
            kept.webhook.update_time_millis = control.ingest_time_millis
        webhook = kept.webhook
        if webhook.deleted:
            del known[webhook.webhook_id]
        else:
            known[webhook.webhook_id] = kept
        self._rows.append(
            (
                namespace,
                webhook.webhook_id,
                offset,
                int(webhook.deleted),
                to_text(webhook),
                kept.sealed_secret.hex(),
            )
        )
        return Outcome(True, result=str(webhook.webhook_id))

    def tables(self) -> dict[str, Columns]:
        """Rows by table."""
        return {"webhooks": columns_of("webhooks", self._rows)} if self._rows else {}


def _created(control: frame_pb2.ControlRecord, offset: int) -> KeptWebhook:
    intent, time = control.webhook_created, control.ingest_time_millis
    webhook = webhook_pb2.Webhook(
        webhook_id=offset,
        name=intent.name,
        url=intent.url,
        events=intent.events,
        description=intent.description,
        disabled=intent.disabled,
        signed=bool(intent.sealed_secret),
        create_time_millis=time,
        update_time_millis=time,
        create_user=control.user,
    )
    return KeptWebhook(webhook, intent.sealed_secret)


def _updated(before: KeptWebhook, intent: webhook_event_pb2.WebhookUpdated) -> KeptWebhook:
    webhook = webhook_pb2.Webhook()
    webhook.CopyFrom(before.webhook)
    if intent.HasField("name"):
        webhook.name = intent.name
    if intent.HasField("url"):
        webhook.url = intent.url
    if intent.HasField("description"):
        webhook.description = intent.description
    if intent.HasField("disabled"):
        webhook.disabled = intent.disabled
    if intent.events:
        webhook.events[:] = intent.events
    secret = intent.sealed_secret if intent.HasField("sealed_secret") else before.sealed_secret
    webhook.signed = bool(secret)
    return KeptWebhook(webhook, secret)


def _deleted(before: KeptWebhook) -> KeptWebhook:
    webhook = webhook_pb2.Webhook()
    webhook.CopyFrom(before.webhook)
    webhook.deleted, webhook.signed = True, False
    return KeptWebhook(webhook)
