"""Webhooks: URLs that are told of changes of registered models."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import webhook_pb2

from fleetlog._calls.approvals import ApprovalCalls
from fleetlog._calls.base import PAGE
from fleetlog._transport.answers import pages, understood
from fleetlog._values import arguments
from fleetlog._views.webhooks import DELIVERY_STATES, DeliveryState, Webhook, WebhookDelivery, WebhookTest

_UINT = (1 << 63) - 1


class WebhookCalls(ApprovalCalls):
    """Who is told of changes of registered models. Ids that are not there: NotFound WEBHOOK_NOT_FOUND."""

    def create_webhook(
        self,
        name: str,
        url: str,
        events: str | Sequence[str],
        *,
        secret: str = "",
        description: str = "",
        disabled: bool = False,
        user: str | None = None,
    ) -> Webhook:
        """Let a URL be told of what happens to models from now on, at least once each.

        Args:
            name: Up to 63 letters, digits, ".", "_" and "-".
            url: An https:// URL; http:// where the server allows it.
            events: Such as "model_version.created"; docs/registry.md has all.
            secret: What deliveries are signed with; "" = they are not signed.
            description: Text.
            disabled: True: it is not told of anything for now.
            user: Who asks; None = the user of this process.

        Raises:
            InvalidArgument: URL_INVALID, EVENT_UNKNOWN, NAME_INVALID.

        Examples:
            >>> made = client.create_webhook("chat", "https://hooks.invalid/models", "model_version.created")
            >>> made.signed
            False

        """
        request = webhook_pb2.CreateWebhookRequest(
            name=arguments.one_text("name", name), url=arguments.one_text("url", url),
            events=arguments.texts("events", events), secret=arguments.one_text("secret", secret),
            description=arguments.one_text("description", description), disabled=arguments.flag("disabled", disabled),
        )  # fmt: skip
        return Webhook.of(self._changed(self._connection.webhooks.CreateWebhook, request, user).webhook)

    def update_webhook(
        self,
        webhook: int | Webhook,
        *,
        name: str | None = None,
        url: str | None = None,
        events: str | Sequence[str] = (),
        secret: str | None = None,
        description: str | None = None,
        disabled: bool | None = None,
        user: str | None = None,
    ) -> Webhook:
        """Change a webhook. What is left out stays.

        Args:
            webhook: A Webhook, or its id.
            name: New name.
            url: New URL.
            events: Replaces all of them.
            secret: New secret; "" = no longer signed.
            description: New text.
            disabled: True: it is not told of anything for now.
            user: Who asks; None = the user of this process.

        Examples:
            >>> made = client.create_webhook("chat", "https://hooks.invalid/models", "comment.created")
            >>> client.update_webhook(made, disabled=True).disabled
            True

        """
        request = webhook_pb2.UpdateWebhookRequest(
            webhook_id=_id(webhook),
            events=arguments.texts("events", events),
            disabled=None if disabled is None else arguments.flag("disabled", disabled),
        )
        for field, text in (("name", name), ("url", url), ("secret", secret), ("description", description)):
            if text is not None:
                setattr(request, field, arguments.one_text(field, text))
        return Webhook.of(self._changed(self._connection.webhooks.UpdateWebhook, request, user).webhook)

    def delete_webhook(self, webhook: int | Webhook, *, user: str | None = None) -> None:
        """Delete a webhook. What it was not told of yet is dropped.

        Args:
            webhook: A Webhook, or its id.
            user: Who asks; None = the user of this process.

        Examples:
            >>> made = client.create_webhook("chat", "https://hooks.invalid/models", "comment.created")
            >>> client.delete_webhook(made)

        """
        request = webhook_pb2.DeleteWebhookRequest(webhook_id=_id(webhook))
        self._changed(self._connection.webhooks.DeleteWebhook, request, user)

    def webhooks(self) -> list[Webhook]:
        """Webhooks of the namespace, the latest first.

        Examples:
            >>> made = client.create_webhook("latest", "https://hooks.invalid/models", "comment.created")
            >>> client.webhooks()[0].name
            'latest'

        """
        return self._webhooks(webhook_pb2.ListWebhooksRequest())

    def get_webhook(self, webhook: int | Webhook) -> Webhook:
        """One webhook.

        Args:
            webhook: A Webhook, or its id.

        Examples:
            >>> made = client.create_webhook("one", "https://hooks.invalid/models", "comment.created")
            >>> client.get_webhook(made.id).name
            'one'

        """
        return self._webhooks(webhook_pb2.ListWebhooksRequest(webhook_id=_id(webhook)))[0]

    def webhook_deliveries(
        self, webhook: int | Webhook, state: DeliveryState | None = None, *, limit: int = 100
    ) -> list[WebhookDelivery]:
        """How deliveries went, those of the latest changes first.

        Args:
            webhook: A Webhook, or its id.
            state: "pending", "delivered", "dead" or "dropped"; None = all.
            limit: Maximum of deliveries, up to 100,000.

        Examples:
            >>> made = client.create_webhook("quiet", "https://hooks.invalid/models", "comment.created")
            >>> client.webhook_deliveries(made)
            []

        """
        most = arguments.count("limit", limit, 1, 100_000)
        request = webhook_pb2.ListDeliveriesRequest(
            namespace=self.namespace, webhook_id=_id(webhook), page_size=min(most, PAGE)
        )
        if state is not None:
            request.state = DELIVERY_STATES[arguments.choice("state", state, DELIVERY_STATES)]
        found: list[WebhookDelivery] = []
        with understood(self.target, "a delivery"):
            for page in pages(self._connection, self._connection.webhooks.ListDeliveries, request, self.timeout):
                found += map(WebhookDelivery.of, page.deliveries)
                if len(found) >= most:
                    break
        return found[:most]

    def test_webhook(self, webhook: int | Webhook, event: str = "") -> WebhookTest:
        """Send an example to a webhook now, once, also when it is disabled.

        Args:
            webhook: A Webhook, or its id.
            event: An event; "" = the first one of the webhook.

        Examples:
            >>> made = client.create_webhook("tried", "https://hooks.invalid/models", "comment.created")
            >>> client.test_webhook(made).status
            0

        """
        request = webhook_pb2.TestWebhookRequest(
            namespace=self.namespace, webhook_id=_id(webhook), event=arguments.one_text("event", event)
        )
        answer = self._connection.call(self._connection.webhooks.TestWebhook, request, self.timeout)
        return WebhookTest(answer.status, answer.error, answer.body)

    def _webhooks(self, request: webhook_pb2.ListWebhooksRequest) -> list[Webhook]:
        request.namespace = self.namespace
        position = self._connection.position()
        if position is not None:
            request.at_least.CopyFrom(position)
        answer = self._connection.call(self._connection.webhooks.ListWebhooks, request, self.timeout)
        with understood(self.target, "a webhook"):
            return [Webhook.of(one) for one in answer.webhooks]


def _id(webhook: int | Webhook) -> int:
    return webhook.id if isinstance(webhook, Webhook) else arguments.count("webhook", webhook, 0, _UINT)
