"""Deliveries whose bodies were not kept, since so much waits: what they tell is made anew, and is the same."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL
from fleetlog_core.webhooks.posting import TargetRules
from fleetlog_ingest.webhooks import queue
from fleetlog_ingest.webhooks.deliverer import Deliverer
from fleetlog_proto.v1 import frame_pb2, webhook_event_pb2

from tests.ingest.materializer import registry_intents as intents
from tests.ingest.materializer.builders import NOW
from tests.ingest.materializer.warehouses import drain, opened
from tests.own_processes import in_own_process
from tests.webhook_receiver import receiving

EVENTS = ("registered_model.created", "model_version.created", "model_version_alias.created", "comment.created")
TOLD = ["registered_model", "model_version", "model_version_alias", "comment", "registered_model"]


def _write(log: MemoryLog, url: str) -> None:
    created = webhook_event_pb2.WebhookCreated(name="all", url=url, events=EVENTS)
    written = [
        frame_pb2.ControlRecord(webhook_created=created),
        intents.version("m", "champion", create_model=True),
        intents.comment("m", "a comment", 1),
        intents.create("other"),
    ]
    for place, intent in enumerate(written):
        intent.request_id, intent.ingest_time_millis = (place + 1).to_bytes(16, "big"), NOW
        log.append(CONTROL, b"default", intent.SerializeToString()).result(timeout=30)


def _told(path: Path, kept_bytes: int) -> list[bytes]:
    """Bodies that a receiver was told, in order."""
    log, warehouse = MemoryLog(), opened(path)
    with receiving() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "MAX_BODY_BYTES", kept_bytes)
        _write(log, receiver.url)
        drain(log, warehouse, path)
        rules = TargetRules(allow_http=True, allow_private=True)
        deliverer = Deliverer(log, warehouse, warehouse.select, None, rules, "webhooks")
        thread = threading.Thread(target=deliverer.run)
        thread.start()
        try:
            receiver.wait(len(TOLD))
        finally:
            deliverer.stop()
            thread.join()
        bodies = [body for _, body in receiver.came]
    warehouse.close()
    return bodies


def test_a_body_that_was_not_kept_tells_the_same(tmp_path: Path) -> None:
    kept = in_own_process(_told, tmp_path / "kept", queue.MAX_BODY_BYTES)
    assert [json.loads(body)["entity"] for body in kept] == TOLD
    assert in_own_process(_told, tmp_path / "made", 0) == kept
