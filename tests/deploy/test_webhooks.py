"""A server that is killed while it tells a webhook."""

from __future__ import annotations

import signal
from pathlib import Path

import fleetlog

from tests.deploy.processes import running
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
