"""WebhookService: URLs that are told of changes of registered models."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from fleetlog_core import limits
from fleetlog_core.applied import AppliedWatch
from fleetlog_core.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from fleetlog_core.ids import new_random_id
from fleetlog_core.log.port import EventLog
from fleetlog_core.position import from_proto, to_proto
from fleetlog_core.rules.names import check_namespace, check_user
from fleetlog_core.rules.webhooks import (
    check_webhook_description,
    check_webhook_event,
    check_webhook_events,
    check_webhook_id,
    check_webhook_name,
    check_webhook_secret,
    check_webhook_url,
)
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_core.webhooks.posting import Answer, TargetRules, post
from fleetlog_core.webhooks.secrets import SecretLost, Secrets
from fleetlog_core.webhooks.signing import headers_of
from fleetlog_core.webhooks.states import KeptWebhook, read_webhooks, webhook_at
from fleetlog_proto.v1 import frame_pb2, position_pb2, webhook_event_pb2, webhook_pb2, webhook_pb2_grpc

from fleetlog_ingest.gateway.control import Control, Decided, check_request_id, timeout_seconds
from fleetlog_ingest.webhooks.deliveries import DeliveryKey, read_deliveries

T = TypeVar("T")
THREADS = 4
DEFAULT_PAGE = 100
_Change = webhook_pb2.CreateWebhookRequest | webhook_pb2.UpdateWebhookRequest | webhook_pb2.DeleteWebhookRequest


class WebhookServicer(webhook_pb2_grpc.WebhookServiceServicer):
    """See protos/fleetlog/v1/webhook.proto. `secrets`: None = there is no key, and secrets are refused."""

    def __init__(
        self, log: EventLog, warehouse: Warehouse, applied: AppliedWatch, secrets: Secrets | None, rules: TargetRules
    ) -> None:
        self._warehouse = warehouse
        self._applied = applied
        self._secrets = secrets
        self._rules = rules
        self._executor: Executor = ContextThreads(THREADS, "webhooks")
        self._control = Control(log, warehouse, applied, self._executor)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    async def CreateWebhook(  # noqa: N802
        self, request: webhook_pb2.CreateWebhookRequest, context: Context
    ) -> webhook_pb2.CreateWebhookResponse:
        """See the proto."""
        check_webhook_name(request.name)
        self._check_url(request.url)
        if not request.events:
            raise InvalidArgument.of_field("EVENT_MISSING", "events", "there is none; give one at least")
        check_webhook_events(request.events)
        check_webhook_description(request.description)
        intent = webhook_event_pb2.WebhookCreated(
            name=request.name,
            url=request.url,
            events=dict.fromkeys(request.events),
            description=request.description,
            disabled=request.disabled,
            sealed_secret=self._sealed(request.namespace, request.secret),
        )
        webhook, position = await self._decide(request, frame_pb2.ControlRecord(webhook_created=intent), context)
        return webhook_pb2.CreateWebhookResponse(webhook=webhook, position=position)

    async def UpdateWebhook(  # noqa: N802
        self, request: webhook_pb2.UpdateWebhookRequest, context: Context
    ) -> webhook_pb2.UpdateWebhookResponse:
        """See the proto."""
        check_webhook_id(request.webhook_id)
        intent = webhook_event_pb2.WebhookUpdated(webhook_id=request.webhook_id, events=dict.fromkeys(request.events))
        check_webhook_events(request.events)
        if request.HasField("name"):
            check_webhook_name(request.name)
            intent.name = request.name
        if request.HasField("url"):
            self._check_url(request.url)
            intent.url = request.url
        if request.HasField("description"):
            check_webhook_description(request.description)
            intent.description = request.description
        if request.HasField("disabled"):
            intent.disabled = request.disabled
        if request.HasField("secret"):
            intent.sealed_secret = self._sealed(request.namespace, request.secret)
        webhook, position = await self._decide(request, frame_pb2.ControlRecord(webhook_updated=intent), context)
        return webhook_pb2.UpdateWebhookResponse(webhook=webhook, position=position)

    async def DeleteWebhook(  # noqa: N802
        self, request: webhook_pb2.DeleteWebhookRequest, context: Context
    ) -> webhook_pb2.DeleteWebhookResponse:
        """See the proto."""
        check_webhook_id(request.webhook_id)
        intent = webhook_event_pb2.WebhookDeleted(webhook_id=request.webhook_id)
        webhook, position = await self._decide(request, frame_pb2.ControlRecord(webhook_deleted=intent), context)
        return webhook_pb2.DeleteWebhookResponse(webhook=webhook, position=position)

    async def ListWebhooks(  # noqa: N802
        self, request: webhook_pb2.ListWebhooksRequest, context: Context
    ) -> webhook_pb2.ListWebhooksResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        if request.HasField("at_least"):
            await self._applied.wait(from_proto(request.at_least), timeout_seconds(context))
        if request.HasField("webhook_id"):
            check_webhook_id(request.webhook_id)
            found = [(await self._do(lambda: self._one(namespace, request.webhook_id))).webhook]
        else:
            known = await self._do(lambda: read_webhooks(self._warehouse.select, namespace))
            found = [known[webhook_id].webhook for webhook_id in sorted(known, reverse=True)]
        return webhook_pb2.ListWebhooksResponse(webhooks=found)

    async def ListDeliveries(  # noqa: N802
        self, request: webhook_pb2.ListDeliveriesRequest, context: Context
    ) -> webhook_pb2.ListDeliveriesResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        check_webhook_id(request.webhook_id)
        if request.page_size < 0:
            raise InvalidArgument.of_field("OUT_OF_RANGE", "page_size", f"{request.page_size} is negative; give 1 up")
        count = min(request.page_size or DEFAULT_PAGE, limits.PAGE_SIZE)
        of, state, token = request.webhook_id, request.state, request.page_token
        behind = DeliveryKey.place_of(token, of) if token else None
        found = await self._do(lambda: read_deliveries(self._warehouse.select, namespace, of, state, count + 1, behind))
        more = found[count - 1].delivery_id if len(found) > count else ""
        return webhook_pb2.ListDeliveriesResponse(deliveries=found[:count], next_page_token=more)

    async def TestWebhook(  # noqa: N802
        self, request: webhook_pb2.TestWebhookRequest, context: Context
    ) -> webhook_pb2.TestWebhookResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        check_webhook_id(request.webhook_id)
        if request.event:
            check_webhook_event(request.event, "event")
        answer = await self._do(lambda: self._try(namespace, self._one(namespace, request.webhook_id), request.event))
        return webhook_pb2.TestWebhookResponse(status=answer.status, error=answer.error, body=answer.body[:1_000])

    def _try(self, namespace: str, kept: KeptWebhook, event: str) -> Answer:
        entity, _, action = (event or kept.webhook.events[0]).partition(".")
        now = int(time.time())
        body = json.dumps(
            {"entity": entity, "action": action, "namespace": namespace, "test": True, "data": {"name": "example"}}
        ).encode()
        try:
            secret = "" if self._secrets is None else self._secrets.open(namespace, kept.sealed_secret)
        except SecretLost as error:
            return Answer(0, str(error))
        headers = headers_of(f"test-{new_random_id().hex()}", now, body, secret)
        return post(kept.webhook.url, body, headers, self._rules)

    def _one(self, namespace: str, webhook_id: int) -> KeptWebhook:
        found = read_webhooks(self._warehouse.select, namespace).get(webhook_id)
        if found is None:
            raise NotFound("WEBHOOK_NOT_FOUND", f"webhook_id: there is no webhook {webhook_id}")
        return found

    def _check_url(self, url: str) -> None:
        check_webhook_url(url, allow_http=self._rules.allow_http, allow_private=self._rules.allow_private)

    def _sealed(self, namespace: str, secret: str) -> bytes:
        check_webhook_secret(secret)
        if secret and self._secrets is None:
            raise FailedPrecondition(
                "SECRET_KEY_MISSING",
                "secret: the server has no key to encrypt it with; set webhooks.secret_key there, or give no secret",
            )
        return self._secrets.seal(check_namespace(namespace), secret) if self._secrets is not None else b""

    async def _decide(
        self, request: _Change, record: frame_pb2.ControlRecord, context: Context
    ) -> tuple[webhook_pb2.Webhook, position_pb2.Position]:
        """The webhook as the decision left it: the same whenever the request is sent again."""
        check_user(request.user, "user")
        record.namespace, record.user = check_namespace(request.namespace), request.user
        record.request_id = check_request_id(request.request_id)

        def answer(decided: Decided) -> tuple[webhook_pb2.Webhook, position_pb2.Position]:
            found = webhook_at(self._warehouse.select, record.namespace, int(decided.result), decided.offset)
            if found is None:
                raise Unavailable("OUTCOME_UNKNOWN", "what was decided can't be read now; send the request again")
            return found, to_proto(decided.position)

        return await self._control.decide(record, timeout_seconds(context), answer)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
