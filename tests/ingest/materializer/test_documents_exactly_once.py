"""Documents and webhooks, whatever the batches and wherever it dies: the tables are those of the log, once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL
from fleetlog_core.warehouse.port import Column
from fleetlog_ingest import replay
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_proto.v1 import webhook_event_pb2

from tests.ingest.materializer.builders import NOW, in_own_process
from tests.ingest.materializer.document_intents import one, put
from tests.ingest.materializer.registry_intents import Intent
from tests.ingest.materializer.warehouses import Crash, Watched, drain, opened, rebuilt

ONE_BY_ONE = BatchPolicy(target_weight=1, max_weight=1)
FEW = BatchPolicy(target_weight=12, max_weight=12)
webhook = webhook_event_pb2


def history(seed: int, count: int) -> Iterator[Intent]:
    """Intents that meet one another: some are accepted, some refused, some sent twice."""
    chance = random.Random(seed)
    sent: list[Intent] = []
    for number in range(count):
        if sent and chance.random() < 0.1:
            yield chance.choice(sent)
            continue
        made = _webhook(chance, number) if chance.random() < 0.4 else _documents(chance, number)
        made.request_id = (seed * 1_000 + number).to_bytes(16, "big")
        made.namespace, made.user = chance.choice(["one", "two"]), chance.choice("uvw")
        made.ingest_time_millis = NOW + number
        sent.append(made)
        yield made


def _documents(chance: random.Random, number: int) -> Intent:
    ids = chance.sample("abcd", chance.randrange(1, 4))
    return put(
        *(
            one(
                each,
                kind=chance.choice(["entry", "other"]),
                parent=chance.choice("xy"),
                key=chance.choice(["", "k", "l"]),
                body=f"text {number}",
                expected=chance.choice([None, 0, 1, 2]),
                deleted=chance.random() < 0.2,
            )
            for each in ids
        )
    )


def _webhook(chance: random.Random, number: int) -> Intent:
    made = webhook.WebhookCreated(name=f"hook-{number}", url="https://x", events=["comment.created"])
    if number % 3 == 0:
        made.sealed_secret = bytes([number % 256])
    which = chance.randrange(number + 1)
    return chance.choice(
        [
            Intent(webhook_created=made),
            Intent(webhook_updated=webhook.WebhookUpdated(webhook_id=which, disabled=chance.random() < 0.5)),
            Intent(webhook_updated=webhook.WebhookUpdated(webhook_id=which, sealed_secret=b"")),
            Intent(webhook_deleted=webhook.WebhookDeleted(webhook_id=which)),
        ]
    )


def write(log: MemoryLog, seed: int, count: int) -> None:
    for intent in history(seed, count):
        log.append(CONTROL, b"default", intent.SerializeToString()).result(timeout=30)


def _same_in_any_batches(path: Path) -> None:
    log = MemoryLog()
    write(log, 7, 40)
    whole = rebuilt(log, path / "whole")
    for table in ("documents", "webhooks"):
        assert whole[table].rows > 5, table
    for name, policy in (("one", ONE_BY_ONE), ("few", FEW)):
        report = replay.compare(whole, rebuilt(log, path / name, policy))
        assert report.same, report.differences


def test_documents_and_webhooks_are_the_same_in_any_batches(tmp_path: Path) -> None:
    in_own_process(_same_in_any_batches, tmp_path)


def _crash_at_every_insert(path: Path, after: bool) -> None:
    log, live, died = MemoryLog(), opened(path), 0
    for at in range(6):
        write(log, at, 16)

        def die(number: int, table: str, columns: Mapping[str, Column], is_after: bool, at: int = at) -> None:
            if number == at and is_after == after:
                raise Crash

        try:
            drain(log, Watched(live, die), path, FEW)
        except Crash:
            died += 1
        drain(log, live, path)
    assert died > 3
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_insert_puts_nothing_twice(tmp_path: Path, after: bool) -> None:
    in_own_process(_crash_at_every_insert, tmp_path, after)
