"""Registered models, whatever the batches and wherever it dies: the tables are those of the log, once."""

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

from tests.ingest.materializer import registry_intents as intents
from tests.ingest.materializer.builders import NOW, in_own_process
from tests.ingest.materializer.warehouses import Crash, Watched, drain, opened, rebuilt

ONE_BY_ONE = BatchPolicy(target_weight=1, max_weight=1)
FEW = BatchPolicy(target_weight=12, max_weight=12)
STAGES = (intents.NONE, intents.STAGING, intents.PRODUCTION, intents.ARCHIVED)


def history(seed: int, count: int) -> Iterator[intents.Intent]:
    """Intents on a few models that meet one another: some are accepted, some refused, some sent twice."""
    chance = random.Random(seed)
    sent: list[intents.Intent] = []
    for number in range(count):
        if sent and chance.random() < 0.1:
            yield chance.choice(sent)
            continue
        name, of = chance.choice("abc"), chance.randrange(1, 5)
        stage = chance.choice(STAGES)
        archive = stage in (intents.STAGING, intents.PRODUCTION) and chance.random() < 0.5
        word = chance.choice(["x", "y", "champion"])
        asked = intents.ask(name, of, word) if chance.random() < 0.5 else intents.ask(name, of, stage)
        made = chance.choice(
            [
                intents.create(name, exist_ok=chance.random() < 0.5, aliases=["champion"]),
                intents.version(name, *chance.choice([(), ("x",), ("x", "y")]), create_model=True),
                intents.transition(name, of, stage, archive=archive),
                intents.transition(name, of, stage, archive=archive),
                intents.delete_version(name, of),
                intents.alias(name, word, of),
                intents.drop_alias(name, word),
                intents.comment(name, "a comment", of),
                asked,
                intents.answer(name, chance.randrange(1, 4), chance.random() < 0.7),
                intents.describe(name, f"text {number}", k=str(number)),
                intents.rename(name, chance.choice("abcd")) if chance.random() < 0.4 else intents.version(name),
                intents.delete(name) if chance.random() < 0.3 else intents.version(name),
            ]
        )
        made.request_id = (seed * 1_000 + number).to_bytes(16, "big")
        made.namespace, made.user = chance.choice(["one", "two"]), chance.choice("uvw")
        made.ingest_time_millis = NOW + number
        sent.append(made)
        yield made


def write(log: MemoryLog, seed: int, count: int) -> None:
    for intent in history(seed, count):
        log.append(CONTROL, b"default", intent.SerializeToString()).result(timeout=30)


def _same_in_any_batches(path: Path) -> None:
    log = MemoryLog()
    write(log, 7, 90)
    whole = rebuilt(log, path / "whole")
    for table in ("registered_models", "model_versions", "model_approvals", "registry_history"):
        assert whole[table].rows > 1, table
    for name, policy in (("one", ONE_BY_ONE), ("few", FEW)):
        report = replay.compare(whole, rebuilt(log, path / name, policy))
        assert report.same, report.differences


def test_the_registry_is_the_same_in_any_batches(tmp_path: Path) -> None:
    in_own_process(_same_in_any_batches, tmp_path)


def _crash_at_every_insert(path: Path, after: bool) -> None:
    log, live, died = MemoryLog(), opened(path), 0
    for at in range(10):
        write(log, at, 16)

        def die(number: int, table: str, columns: Mapping[str, Column], is_after: bool, at: int = at) -> None:
            if number == at and is_after == after:
                raise Crash

        try:
            drain(log, Watched(live, die), path, FEW)
        except Crash:
            died += 1
        drain(log, live, path)
    assert died > 5
    found = replay.checksums(live)
    live.close()
    report = replay.compare(found, rebuilt(log, path / "again"))
    assert report.same, report.differences


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_insert_decides_nothing_twice(tmp_path: Path, after: bool) -> None:
    in_own_process(_crash_at_every_insert, tmp_path, after)
