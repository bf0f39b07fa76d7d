"""Webhooks with a server behind them, and a real receiver before them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fleetlog
import grpc
import pytest
from fleetlog_core.webhooks.signing import signature_of
from fleetlog_proto.v1 import webhook_pb2, webhook_pb2_grpc

from tests.deploy.processes import running
from tests.end_to_end.refusals import refused
from tests.servers import unique
from tests.webhook_receiver import receiving

SECONDS = 120.0
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Data directory and target of a server that may tell this machine, in a process of its own: it opens chDB."""
    data = tmp_path_factory.mktemp("webhooks") / "data"
    given = {"SECRET_KEY": KEY.hex(), "ALLOW_HTTP": "true", "ALLOW_PRIVATE": "true"}
    environment = {f"FLEETLOG_WEBHOOKS_{name}": value for name, value in given.items()}
    with running("up", "--data", str(data), "--port", "0", environment=environment) as one:
        yield data, one.target


@pytest.fixture
def client(server: tuple[Path, str]) -> fleetlog.Client:
    return fleetlog.Client(server[1], unique("webhooks"))


def until(client: fleetlog.Client, webhook: fleetlog.Webhook, states: list[str]) -> list[fleetlog.WebhookDelivery]:
    """Deliveries, the oldest first, once they stand so."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(_until, client, webhook, states, ended)
        try:
            return found.result(SECONDS)
        finally:
            ended.set()


def _until(
    client: fleetlog.Client, webhook: fleetlog.Webhook, states: list[str], ended: threading.Event
) -> list[fleetlog.WebhookDelivery]:
    while not ended.is_set():
        found = list(reversed(client.webhook_deliveries(webhook)))
        if [one.state for one in found] == states:
            return found
        ended.wait(0.1)
    raise AssertionError("they never stood so")


def test_a_webhook_is_told_of_each_change_that_it_asks_for_signed(client: fleetlog.Client) -> None:
    with receiving() as receiver:
        client.register_model("before", source="s3://x")
        events = ["registered_model.created", "model_version.created", "model_version.transitioned",
                  "model_version_alias.created", "model_version_tag.set", "comment.created"]  # fmt: skip
        webhook = client.create_webhook("all", receiver.url, events, secret="hush", user="ann")
        client.register_model("gpt2", source="s3://x", aliases="champion", user="ann")
        client.transition("gpt2", 1, "Production")
        client.add_model_comment("gpt2", "fine")
        bodies = receiver.wait(5)
        until(client, webhook, ["delivered"] * 5)
    told = [f"{body['entity']}.{body['action']}" for body in bodies]
    assert told == ["registered_model.created", "model_version.created", "model_version_alias.created",
                    "model_version.transitioned", "comment.created"]  # fmt: skip
    assert bodies[1]["data"] == {"name": "gpt2", "version": "1", "source": "s3://x", "run_id": None, "tags": {},
                                 "description": None}  # fmt: skip
    assert (bodies[1]["namespace"], bodies[1]["user"]) == (client.namespace, "ann")
    assert bodies[3]["data"]["to_stage"] == "Production"
    for headers, body in receiver.came:
        expected = signature_of(headers["webhook-id"], int(headers["webhook-timestamp"]), body, "hush")
        assert headers["webhook-signature"] == headers["x-mlflow-signature"] == expected


def test_a_delivery_that_fails_is_sent_again_under_the_same_id(client: fleetlog.Client) -> None:
    with receiving() as receiver:
        receiver.statuses = [500, 302]
        webhook = client.create_webhook("again", receiver.url, "registered_model.created")
        client.create_model("gpt2")
        receiver.wait(3)
        delivered = until(client, webhook, ["delivered"])[0]
    assert {headers["webhook-id"] for headers, _ in receiver.came} == {delivered.id}
    assert (delivered.attempts, delivered.status, delivered.error) == (3, 200, "")


def test_a_target_that_is_away_holds_up_no_other_one(client: fleetlog.Client) -> None:
    with receiving() as receiver:
        with receiving() as away:
            gone = away.url
        lost = client.create_webhook("lost", gone, "registered_model.created")
        client.create_webhook("there", receiver.url, "registered_model.created")
        client.create_model("gpt2")
        receiver.wait(1)
        failed = until(client, lost, ["pending"])[0]
        assert (failed.status, failed.error) == (0, "the target refuses the connection")
        client.delete_webhook(lost)
        until(client, lost, ["dropped"])


def test_a_disabled_webhook_is_told_of_nothing_and_can_be_tried(client: fleetlog.Client) -> None:
    with receiving() as receiver:
        webhook = client.create_webhook("quiet", receiver.url, "registered_model.created", disabled=True)
        client.create_model("gpt2")
        until(client, webhook, ["dropped"])
        assert client.test_webhook(webhook).status == 200
        assert [body["test"] for body in receiver.wait(1)] == [True]
        receiver.statuses = [302]
        assert client.test_webhook(webhook).error == "the target answered 302; redirects are not followed"


def test_secrets_are_neither_shown_nor_in_the_log(client: fleetlog.Client, server: tuple[Path, str]) -> None:
    webhook = client.create_webhook("signed", "https://hooks.invalid/x", "comment.created", secret="open sesame")
    assert webhook.signed
    assert "sesame" not in repr(client.webhooks())
    found = b"".join(path.read_bytes() for path in (server[0] / "log").iterdir())
    assert b"hooks.invalid" in found
    assert b"sesame" not in found


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"url": "ftp://x/y"}, "URL_INVALID"),
        ({"url": "https://ann:pass@x/y"}, "URL_INVALID"),
        ({"events": "models.created"}, "EVENT_UNKNOWN"),
        ({"events": []}, "EVENT_MISSING"),
        ({"name": "-"}, "NAME_INVALID"),
    ],
)
def test_what_cant_be_meant_is_refused(client: fleetlog.Client, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument) as refused:
        client.create_webhook(**{"name": "x", "url": "https://x/y", "events": "comment.created", **given})
    assert refused.value.reason == reason


def test_another_namespaces_webhook_is_not_there(client: fleetlog.Client, server: tuple[Path, str]) -> None:
    webhook = client.create_webhook("mine", "https://hooks.invalid/x", "comment.created")
    other = fleetlog.Client(server[1], unique("other"))
    for call in (other.get_webhook, other.delete_webhook, other.test_webhook):
        with pytest.raises(fleetlog.NotFound):
            call(webhook)
    assert client.get_webhook(webhook).name == "mine"


def test_deliveries_are_listed_page_by_page(client: fleetlog.Client, server: tuple[Path, str]) -> None:
    with receiving() as receiver:
        webhook = client.create_webhook("paged", receiver.url, "registered_model.created")
        for number in range(5):
            client.create_model(f"m{number}")
        whole = until(client, webhook, ["delivered"] * 5)
    with grpc.insecure_channel(server[1]) as channel:
        stub = webhook_pb2_grpc.WebhookServiceStub(channel)
        request = webhook_pb2.ListDeliveriesRequest(namespace=client.namespace, webhook_id=webhook.id, page_size=2)
        found: list[str] = []
        while True:
            page = stub.ListDeliveries(request, timeout=SECONDS)
            found += [one.delivery_id for one in page.deliveries]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert found == [one.id for one in reversed(whole)]
        for token in ("x", f"{webhook.id + 1}-1-0", f"{webhook.id}-{1 << 63}-0", "' OR 1=1 --"):
            request.page_token = token
            assert refused(lambda: stub.ListDeliveries(request, timeout=SECONDS)).reason == "PAGE_TOKEN_INVALID"
