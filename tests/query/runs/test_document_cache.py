"""Documents are kept until their run changes, and never when what was read may be older than what is known."""

from __future__ import annotations

from collections.abc import Set
from typing import cast

import pytest
from fleetlog_core.warehouse.port import TimedOut, Warehouse
from fleetlog_proto.v1 import run_pb2
from fleetlog_query.changes.changed_runs import ChangedRuns, Place
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.runs import document_cache
from fleetlog_query.runs.document_cache import DocumentCache
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.warehouse.cancellable import CancellableWarehouse, Work

A, B = b"a" * 16, b"b" * 16


class Log:
    """Stands for the position of the log, and for what changed since one."""

    def __init__(self) -> None:
        self.position = 0
        self.changed: dict[bytes, int] | None = {}

    def now(self) -> AsOf:
        return AsOf((self.position,))

    def since(self, place: Place, pin: AsOf) -> dict[bytes, int] | None:
        if self.changed is None:
            return None
        return {run_id: until for run_id, until in self.changed.items() if until > pin.events[0]}

    def change(self, *run_ids: bytes) -> None:
        """A batch with events of these runs begins."""
        changed = {} if self.changed is None else self.changed
        self.changed = {**changed, **dict.fromkeys(run_ids, self.position + 1)}

    def apply(self) -> None:
        """It ends."""
        self.position += 1


@pytest.fixture
def log() -> Log:
    return Log()


def cache_over(log: Log, held_bytes: int = 1 << 20) -> DocumentCache:
    return DocumentCache(cast(AppliedPositions, log), cast(ChangedRuns, log), held_bytes)


def put(cache: DocumentCache, *run_ids: bytes, namespace: str = "n", name: str = "whole") -> None:
    moment = cache.moment(namespace)
    cache.keep(moment, name, {run_id: run_pb2.Run(name=name) for run_id in run_ids})


def kept(cache: DocumentCache, namespace: str = "n", name: str = "whole", state: object = None) -> Set[bytes]:
    return cache.found(cache.moment(namespace), (A, B), name, cast(None, state)).keys()


def test_a_document_is_kept_until_its_run_changes(log: Log) -> None:
    cache = cache_over(log)
    put(cache, A, B)
    assert kept(cache) == {A, B}
    log.change(A)
    assert kept(cache) == {B}
    put(cache, A)
    assert kept(cache) == {B}, "the batch is on its way still: what was read may be half of it"
    log.apply()
    assert kept(cache) == {B}, "what was read before the batch had ended"
    put(cache, A)
    assert kept(cache) == {A, B}


def test_what_another_look_was_told_of_meanwhile_is_not_kept(log: Log) -> None:
    cache = cache_over(log)
    before = cache.moment("n")
    log.change(A)
    cache.moment("n")
    cache.keep(before, "whole", {A: run_pb2.Run(), B: run_pb2.Run()})
    assert kept(cache) == {B}


def test_nothing_is_kept_when_nobody_knows_what_changed(log: Log) -> None:
    cache = cache_over(log)
    put(cache, A, B)
    before = cache.moment("n")
    log.changed = None
    assert kept(cache) == set()
    cache.keep(before, "whole", {A: run_pb2.Run()})
    log.changed = {}
    assert kept(cache) == set()
    put(cache, A)
    log.position = -1
    assert kept(cache) == set(), "tables that are made anew are behind for a while"


def test_names_namespaces_and_states_are_told_apart(log: Log) -> None:
    cache = cache_over(log)
    put(cache, A)
    put(cache, B, namespace="m")
    assert kept(cache, name="attributes") == set()
    assert kept(cache, "m") == {B}
    cache.keep(cache.moment("n"), "problems", {A: run_pb2.Run()}, state=1)
    assert kept(cache, name="problems", state=1) == {A}
    assert kept(cache, name="problems", state=2) == set()


def test_the_one_that_was_asked_for_longest_ago_goes_first(log: Log) -> None:
    small = cache_over(log, held_bytes=document_cache.ENTRY_BYTES * 2)
    put(small, A, B, name="")
    assert kept(small, name="") == {A, B}
    small.found(small.moment("n"), (A,), "")
    put(small, b"c" * 16, name="")
    assert kept(small, name="") == {A}
    assert small.size_bytes == document_cache.ENTRY_BYTES * 2
    put(small, *(bytes([place]) * 16 for place in range(9)), name="")
    assert small.size_bytes <= document_cache.ENTRY_BYTES * 2


def test_a_namespace_that_was_let_go_of_keeps_nothing_of_before(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_cache, "NAMESPACES", 1)
    cache = cache_over(log)
    put(cache, A)
    before = cache.moment("n")
    put(cache, B, namespace="m")
    cache.keep(before, "whole", {A: run_pb2.Run()})
    assert kept(cache) == set()
    assert cache.size_bytes == 0


def test_a_look_waits_no_longer_than_it_may(log: Log) -> None:
    cache = cache_over(log)
    moment = cache.moment("n")
    with moment.feed.lock, pytest.raises(TimedOut):
        CancellableWarehouse(cast(Warehouse, log)).run(Work(0.001), lambda: cache.moment("n"))
    assert kept(cache) == set()
