"""Intents on webhooks, decided."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.webhooks.states import KeptWebhook
from fleetlog_ingest.materializer.control.control import ControlState, fold_control
from fleetlog_ingest.materializer.control.webhook_fold import WebhookFold
from fleetlog_proto.v1 import frame_pb2, webhook_event_pb2, webhook_pb2

from tests.golden.records import webhooks
from tests.ingest.materializer.builders import control
from tests.ingest.materializer.registry_intents import numbers, texts

event, record = webhook_event_pb2, frame_pb2.ControlRecord


def test_every_intent_of_the_golden_records_is_accepted() -> None:
    intents = list(webhooks().values())
    out = fold_control([control(place + 1, place, one) for place, one in enumerate(intents)], ControlState())
    accepted = numbers(out.tables["outcomes"]["accepted"])
    assert accepted == [1] * len(intents)
    assert numbers(out.tables["webhooks"]["deleted"]) == [0, 0, 1]
    assert out.tables["webhooks"]["sealed_secret"] == [bytes(range(16, 32)).hex(), "", ""]


def test_a_webhook_that_is_not_there_is_refused() -> None:
    fold = WebhookFold({})
    for intent in (
        record(webhook_updated=event.WebhookUpdated(webhook_id=7)),
        record(webhook_deleted=event.WebhookDeleted(webhook_id=7)),
    ):
        assert fold.decide(intent, "team", 9).reason == "WEBHOOK_NOT_FOUND"
    assert fold.tables() == {}


def test_a_namespace_has_no_more_than_its_share() -> None:
    known = {number: KeptWebhook(webhook_pb2.Webhook(webhook_id=number)) for number in range(limits.WEBHOOKS)}
    fold = WebhookFold({"team": known})
    made = record(webhook_created=event.WebhookCreated(name="one"))
    assert fold.decide(made, "team", 1_000).reason == "TOO_MANY_WEBHOOKS"
    assert fold.decide(made, "other", 1_001).accepted
    assert fold.decide(record(webhook_deleted=event.WebhookDeleted(webhook_id=3)), "team", 1_002).accepted
    assert fold.decide(made, "team", 1_003).accepted


def test_what_an_update_leaves_out_stays() -> None:
    fold = WebhookFold({})
    created = event.WebhookCreated(name="ci", url="https://x", events=["comment.created"], sealed_secret=b"s")
    fold.decide(record(webhook_created=created, ingest_time_millis=1), "team", 5)
    updated = event.WebhookUpdated(webhook_id=5, disabled=True)
    fold.decide(record(webhook_updated=updated, ingest_time_millis=2), "team", 6)
    state = texts(fold.tables()["webhooks"]["state"])
    assert '"name":"ci"' in state[1]
    assert '"disabled":true' in state[1]
    assert fold.tables()["webhooks"]["sealed_secret"] == ["73", "73"]
