"""Webhooks, as MLflow's registry store has them. They are fleetlog's: its server delivers, MLflow's does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fleetlog_core.rules.webhooks import EVENTS
from fleetlog_proto.v1 import webhook_pb2
from mlflow.entities.webhook import Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.search_utils import SearchUtils
from mlflow.utils.validation import _validate_webhook_events, _validate_webhook_name, _validate_webhook_url

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog.errors import NotFound
from fleetlog.mlflow_plugin.errors import invalid, missing, translated
from fleetlog.mlflow_plugin.page_tokens import page_start
from fleetlog.mlflow_plugin.registry_base import RegistryBase
from fleetlog.mlflow_plugin.served import is_served

_SHARED = {event for event in EVENTS if event.partition(".")[0] not in ("registered_model_tag", "comment", "approval")}
_SHARED.discard("model_version.transitioned")
"""Events that MLflow has words for."""
DEFAULT_PAGE, MOST = 100, 1_000


class WebhookStore(RegistryBase):
    """Webhooks of the namespace. Those that are told only of what MLflow has no word for are left out."""

    def create_webhook(
        self,
        name: str,
        url: str,
        events: list[WebhookEvent],
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """Returns the new webhook."""
        _validate_webhook_name(name)
        _validate_webhook_url(url)
        _validate_webhook_events(events)
        request = webhook_pb2.CreateWebhookRequest(
            name=name,
            url=url,
            events=[str(event) for event in events],
            description=description or "",
            secret=secret or "",
            disabled=status == WebhookStatus.DISABLED,
        )
        with translated():
            made = self.change(self.connection.webhooks.CreateWebhook, request).webhook
        return _entity(made, secret)

    def get_webhook(self, webhook_id: str) -> Webhook:
        """Returns a webhook, without its secret."""
        request = webhook_pb2.ListWebhooksRequest(webhook_id=_number(webhook_id))
        with _of_webhook(webhook_id):
            return _entity(self.read(self.connection.webhooks.ListWebhooks, request).webhooks[0])

    def list_webhooks(self, max_results: int | None = None, page_token: str | None = None) -> PagedList[Webhook]:
        """Returns a page of webhooks, the latest first."""
        return self._page(self._all(), max_results, page_token)

    def list_webhooks_by_event(
        self, event: WebhookEvent, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList[Webhook]:
        """Returns a page of webhooks that are told of an event. In `mlflow server`, which asks whom it has to tell,
        there are none: fleetlog tells them, of changes by its other clients too."""
        found = [] if is_served() else [one for one in self._all() if event in one.events]
        return self._page(found, max_results, page_token)

    def update_webhook(
        self,
        webhook_id: str,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        events: list[WebhookEvent] | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """Returns the webhook as it was changed."""
        number = _number(webhook_id)
        if name is not None:
            _validate_webhook_name(name)
        if url is not None:
            _validate_webhook_url(url)
        if events is not None:
            _validate_webhook_events(events)
        request = webhook_pb2.UpdateWebhookRequest(
            webhook_id=number,
            name=name,
            url=url,
            events=[str(event) for event in events or ()],
            description=description,
            secret=secret,
            disabled=None if status is None else status == WebhookStatus.DISABLED,
        )
        with _of_webhook(webhook_id):
            return _entity(self.change(self.connection.webhooks.UpdateWebhook, request).webhook, secret)

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook."""
        request = webhook_pb2.DeleteWebhookRequest(webhook_id=_number(webhook_id))
        with _of_webhook(webhook_id):
            self.change(self.connection.webhooks.DeleteWebhook, request)

    def test_webhook(self, webhook_id: str, event: WebhookEvent | None = None) -> WebhookTestResult:
        """Returns how it went to send an example, which the server does."""
        request = webhook_pb2.TestWebhookRequest(
            namespace=self.place.namespace, webhook_id=_number(webhook_id), event=str(event) if event else ""
        )
        connection = self.connection
        with _of_webhook(webhook_id):
            went = connection.call(connection.webhooks.TestWebhook, request, TIMEOUT_SECONDS)
        return WebhookTestResult(not went.error, went.status or None, went.body or None, went.error or None)

    def _all(self) -> list[Webhook]:
        with translated():
            found = self.read(self.connection.webhooks.ListWebhooks, webhook_pb2.ListWebhooksRequest()).webhooks
        return [_entity(one) for one in found if _SHARED.intersection(one.events)]

    def _page(self, found: Sequence[Webhook], max_results: int | None, page_token: str | None) -> PagedList[Webhook]:
        size = max_results or DEFAULT_PAGE
        if not 1 <= size <= MOST:
            raise invalid(f"max_results must be between 1 and {MOST}.")
        first = page_start(page_token)
        end = first + size
        return PagedList(list(found[first:end]), SearchUtils.create_page_token(end) if end < len(found) else None)


def _entity(webhook: webhook_pb2.Webhook, secret: str | None = None) -> Webhook:
    return Webhook(
        webhook_id=str(webhook.webhook_id),
        name=webhook.name,
        url=webhook.url,
        events=[WebhookEvent.from_str(event) for event in webhook.events if event in _SHARED],
        creation_timestamp=webhook.create_time_millis,
        last_updated_timestamp=webhook.update_time_millis,
        description=webhook.description or None,
        status=WebhookStatus.DISABLED if webhook.disabled else WebhookStatus.ACTIVE,
        secret=secret,
    )


def _number(webhook_id: str) -> int:
    text = str(webhook_id)
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 63):
        raise _missing(webhook_id)
    return int(text)


@contextmanager
def _of_webhook(webhook_id: str) -> Iterator[None]:
    with translated():
        try:
            yield
        except NotFound as error:
            if error.reason != "WEBHOOK_NOT_FOUND":
                raise
            raise _missing(webhook_id) from None


def _missing(webhook_id: str) -> MlflowException:
    return missing(f"Webhook with ID {webhook_id} not found.")
