"""A server that is killed while it tells a webhook."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import fleetlog

from tests.deploy.cluster import cluster
from tests.deploy.processes import running
from tests.waiting import reached
from tests.webhook_receiver import receiving

ALLOWED = {"FLEETLOG_WEBHOOKS_ALLOW_HTTP": "true", "FLEETLOG_WEBHOOKS_ALLOW_PRIVATE": "true"}


def test_what_was_on_its_way_when_the_server_was_killed_is_sent_again_and_what_was_done_is_not(tmp_path: Path) -> None:
    words = ("up", "--data", str(tmp_path / "data"), "--port", "0")
    with receiving() as receiver:
        with running(*words, environment=ALLOWED) as server:
            client = fleetlog.Client(server.target)
            client.create_webhook("ci", receiver.url, "registered_model.created", secret="hush")
            client.create_model("first")
            receiver.wait(1)
            done = client.webhooks()[0]
            while [one.state for one in client.webhook_deliveries(done)] != ["delivered"]:
                pass
            receiver.answers.clear()
            client.create_model("second")
            receiver.wait(2)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        receiver.answers.set()
        with running(*words, environment=ALLOWED) as server:
            client = fleetlog.Client(server.target)
            bodies = receiver.wait(3)
            client.create_model("third")
            bodies = receiver.wait(4)
            assert server.stop(signal.SIGTERM) == 0
    assert [body["data"]["name"] for body in bodies] == ["first", "second", "second", "third"]
    ids = [headers["webhook-id"] for headers, _ in receiver.came]
    assert ids[1] == ids[2]
    assert all("webhook-signature" in headers for headers, _ in receiver.came), "the key is kept beside the data"


def test_over_kafka_and_clickhouse_a_second_deliverer_goes_on_where_the_first_was_killed(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with (
        receiving() as receiver,
        cluster(kafka_server, clickhouse_server, s3_server, tmp_path) as nodes,
    ):
        server = nodes.serve("gateway", "query", "materializer", **ALLOWED)
        client = fleetlog.Client(server.target)
        webhook = client.create_webhook("ci", receiver.url, "registered_model.created")
        first = nodes.serve("webhooks", **ALLOWED)
        client.create_model("first")
        receiver.wait(1)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        client.create_model("second")
        nodes.serve("webhooks", **ALLOWED)
        states = ["delivered", "delivered"]
        reached(lambda: [one.state for one in client.webhook_deliveries(webhook)] == states, 240)
        names = [json.loads(body)["data"]["name"] for _, body in receiver.came]
    # What the first one was killed over may have come twice.
    assert (names[0], names[-1], set(names)) == ("first", "second", {"first", "second"})
