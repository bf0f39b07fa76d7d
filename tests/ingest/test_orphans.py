from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.port import ObjectName
from fleetlog_ingest.orphans import AnotherLog, collect
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import frame, start

RUN, OTHER = bytes(range(16)), bytes(16)
MONTH_MILLIS = 30 * 86_400_000


def stored(store: FolderStore, data: bytes, run: bytes = RUN, namespace: str = "default") -> ObjectName:
    name = ObjectName(namespace, run, hashlib.sha256(data).digest())
    store.put(name, len(data), [data])
    return name


def artifact(sequence: int, name: ObjectName, path: str = "model.bin") -> event_pb2.Event:
    return event_pb2.Event(sequence=sequence, artifact_logged=event_pb2.ArtifactLogged(path=path, sha256=name.sha256))


def test_only_what_the_log_does_not_know_is_removed(tmp_path: Path) -> None:
    store, log = FolderStore(tmp_path), MemoryLog()
    first, second = stored(store, b"first"), stored(store, b"second")
    # The same bytes, uploaded for a run and a namespace whose event never came.
    others = [stored(store, b"first", OTHER), stored(store, b"first", RUN, "team")]
    never = stored(store, b"an upload whose client died")
    log.append(EVENTS, RUN, b"these bytes are no frame").result(timeout=10)
    # The second takes the place of the first in the tables; a rebuild folds both.
    value = frame(start(1), artifact(2, first), artifact(3, second), run=RUN)
    log.append(EVENTS, RUN, value.SerializeToString()).result(timeout=10)
    now = int(time.time() * 1000)
    young = collect(log, store, now)
    assert (young.objects, young.removed) == (5, 0)
    old = collect(log, store, now + MONTH_MILLIS)
    assert (old.objects, old.removed, old.removed_bytes) == (5, 3, 10 + len(b"an upload whose client died"))
    assert {one.name for one in store.listed()} == {first, second}
    assert not {never, *others} & {one.name for one in store.listed()}


def test_a_run_with_events_of_a_newer_fleetlog_keeps_everything(tmp_path: Path) -> None:
    store, log = FolderStore(tmp_path), MemoryLog()
    kept, orphan = stored(store, b"who knows"), stored(store, b"who knows", OTHER)
    value = frame(start(1), event_pb2.Event(sequence=2), run=RUN)
    log.append(EVENTS, RUN, value.SerializeToString()).result(timeout=10)
    assert collect(log, store, int(time.time() * 1000) + MONTH_MILLIS).removed == 1
    assert store.size(kept) is not None
    assert store.size(orphan) is None


def test_a_dry_run_counts_and_removes_nothing(tmp_path: Path) -> None:
    store, log = FolderStore(tmp_path), MemoryLog()
    kept, orphan = stored(store, b"kept"), stored(store, b"orphan")
    log.append(EVENTS, RUN, frame(start(1), artifact(2, kept), run=RUN).SerializeToString()).result(timeout=10)
    later = int(time.time() * 1000) + MONTH_MILLIS
    looked = collect(log, store, later, dry_run=True)
    assert (looked.objects, looked.removed, looked.removed_bytes) == (2, 1, 6)
    assert {one.name for one in store.listed()} == {kept, orphan}
    assert collect(log, store, later) == looked


def test_a_log_that_refers_to_nothing_there_is_most_likely_another_one(tmp_path: Path) -> None:
    store, log = FolderStore(tmp_path), MemoryLog()
    name = stored(store, b"another log's")
    now = int(time.time() * 1000)
    assert collect(log, store, now).removed == 0, "what is young is nobody's yet"
    with pytest.raises(AnotherLog, match="none of the 1 old objects"):
        collect(log, store, now + MONTH_MILLIS)
    assert {one.name for one in store.listed()} == {name}
    assert collect(log, store, now + MONTH_MILLIS, force=True).removed == 1
