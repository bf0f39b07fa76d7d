"""What every object store promises. A new adapter is one more parameter."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.orphans import ORPHAN_AGE_DAYS, Swept, collect_orphans
from fleetlog_core.objects.port import DigestMismatch

from tests.core.objects.stores import MIB, Store, chunked, name_of, s3

LATER = 1 << 60
SIZES = [0, 1, MIB + 1, 16 * MIB, 16 * MIB + 1, 33 * MIB]


@pytest.fixture(scope="module", params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path_factory.mktemp("objects"))
    else:
        with s3(request.getfixturevalue("s3_server")) as store:
            yield store


def some(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng([size, seed]).bytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_is_read_from_any_offset(store: Store, size: int) -> None:
    data = some(size)
    name = name_of(data)
    store.put(name, size, chunked(data, 999_983))
    assert store.size(name) == size
    for offset in (0, 1, size // 2, size - 1, size, size + 1):
        if offset >= 0:
            found = list(store.read(name, offset, 65_537))
            assert b"".join(found) == data[offset:]
            assert all(0 < len(chunk) <= 65_537 for chunk in found)


@pytest.mark.parametrize("size", [0, 10, 20 * MIB])
@pytest.mark.parametrize("wrong", ["digest", "shorter", "longer", "nothing"])
def test_bytes_that_were_not_declared_are_not_stored(store: Store, size: int, wrong: str) -> None:
    data = some(size, seed=1)
    name, declared, sent = name_of(data, wrong), size, data
    if wrong == "digest":
        name = replace(name, sha256=bytes(32))
    elif wrong == "shorter":
        declared = size + 1
    elif wrong == "longer":
        sent = data + b"x"
    elif size:
        sent = b""
    else:
        name = replace(name, sha256=bytes(32))
    with pytest.raises(DigestMismatch):
        store.put(name, declared, chunked(sent))
    assert store.size(name) is None
    with pytest.raises(KeyError):
        store.read(name)
    store.put(name_of(data, wrong), size, chunked(data))
    assert store.size(name_of(data, wrong)) == size


def test_a_refused_put_harms_no_object_of_that_name(store: Store) -> None:
    data = some(100, seed=2)
    store.put(name_of(data), 100, [data])
    for size, sent in ((100, data[:99] + b"x"), (99, data[:99])):
        with pytest.raises(DigestMismatch):
            store.put(name_of(data), size, [sent])
    assert b"".join(store.read(name_of(data))) == data


class GoneAway(Exception):
    """The client that was sending."""


@pytest.mark.parametrize("size", [100, 40 * MIB])
def test_a_sender_that_went_away_leaves_nothing(store: Store, size: int) -> None:
    data = some(size, seed=3)

    def chunks() -> Iterator[bytes]:
        yield from chunked(data[: size * 99 // 100])
        raise GoneAway

    with pytest.raises(GoneAway):
        store.put(name_of(data), size, chunks())
    assert store.size(name_of(data)) is None


def test_put_again_changes_nothing(store: Store) -> None:
    data = some(1000, seed=4)
    for size in (1000, 10):
        store.put(name_of(data), 1000, chunked(data, size))
    assert b"".join(store.read(name_of(data))) == data


def test_each_namespace_and_run_has_its_own(store: Store) -> None:
    data = some(10, seed=5)
    store.put(name_of(data, "a"), 10, [data])
    assert store.size(name_of(data, "a")) == 10
    assert store.size(name_of(data, "a-b")) is None
    assert store.size(name_of(data, "a", bytes(16))) is None


def test_a_read_that_is_given_up_harms_no_other(store: Store) -> None:
    data = some(3 * MIB, seed=6)
    store.put(name_of(data), len(data), [data])
    for _ in range(30):
        reading = store.read(name_of(data), chunk_bytes=1000)
        assert next(reading) == data[:1000]
        del reading
    assert b"".join(store.read(name_of(data))) == data


def test_many_threads(store: Store) -> None:
    datas = [some(5000, seed=100 + n) for n in range(4)]
    wrong: list[object] = []

    def work(thread: int) -> None:
        try:
            for n in range(8):
                data = datas[(thread + n) % len(datas)]
                store.put(name_of(data, "threads"), len(data), chunked(data, 700))
                if b"".join(store.read(name_of(data, "threads"))) != data:
                    wrong.append(n)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_listed_are_all_with_their_lengths(store: Store) -> None:
    names = {name_of(some(n, seed=7), "listed", bytes([n]) * 16): n for n in range(1, 6)}
    begun = time.time() * 1000
    for name, n in names.items():
        store.put(name, n, [some(n, seed=7)])
    found = {one.name: one for one in store.listed() if one.name.namespace == "listed"}
    assert {name: one.size_bytes for name, one in found.items()} == names
    # The store's clock may be another's.
    assert all(abs(one.stored_millis - begun) < 60_000 for one in found.values())


def test_removed_is_only_what_was_not_written_since(store: Store) -> None:
    data = some(50, seed=8)
    name = name_of(data, "removed")
    store.put(name, 50, [data])
    stored = next(one.stored_millis for one in store.listed() if one.name == name)
    assert not store.remove(name, stored)
    assert store.size(name) == 50
    assert store.remove(name, stored + 2000)
    assert store.size(name) is None
    assert not store.remove(name, LATER)
    store.put(name, 50, [data])
    assert store.size(name) == 50


def test_orphans_are_collected_when_they_are_old(store: Store) -> None:
    kept, orphan = some(60, seed=9), some(61, seed=9)
    for data in (kept, orphan):
        store.put(name_of(data, "orphans"), len(data), [data])
    others = {one.name for one in store.listed()} - {name_of(orphan, "orphans")}
    now = int(time.time() * 1000)
    early = collect_orphans(store, lambda names: set(names) & others, now)
    assert early == Swept(len(others) + 1, 0, 0, 0)
    later = now + (ORPHAN_AGE_DAYS + 1) * 86_400_000
    assert collect_orphans(store, lambda names: set(names) & others, later) == Swept(len(others) + 1, 1, 61, 0)
    assert store.size(name_of(orphan, "orphans")) is None
    assert store.size(name_of(kept, "orphans")) == 60
