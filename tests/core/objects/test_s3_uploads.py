"""Uploads that clients make themselves, over a real store and plain HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO

import pytest
import urllib3
from fleetlog_core.objects.direct import (
    MIB,
    PARTS,
    Upload,
    UploadGone,
    UploadIncomplete,
    part_bytes_of,
    part_lengths,
)
from fleetlog_core.objects.orphans import collect_orphans
from fleetlog_core.objects.port import DigestMismatch, ObjectName
from fleetlog_core.objects.s3 import S3Store
from fleetlog_core.objects.s3_settings import S3Settings
from hypothesis import given
from hypothesis import strategies as st

from tests.core.objects.stores import bucket, direct, name_of

DATA = bytes(range(251)) * (40 * MIB // 251)
NAME = name_of(DATA)
PATIENT = 1 << 60


@pytest.fixture(scope="module")
def settings(s3_server: str) -> Iterator[S3Settings]:
    with bucket(s3_server) as settings:
        yield settings


@pytest.fixture(scope="module")
def store(settings: S3Settings) -> Iterator[S3Store]:
    store = S3Store(settings)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def empty(store: S3Store, settings: S3Settings) -> Iterator[None]:
    yield
    # Whatever happened, nothing is left aside.
    store.uploads.drop(PATIENT)
    store.remove(NAME, PATIENT)
    assert keys(settings) == []


def keys(settings: S3Settings) -> list[str | None]:
    return [one.object_name for one in direct(settings).list_objects(settings.bucket, recursive=True)]


def send(url: str, data: bytes, method: str = "PUT") -> int:
    """As any HTTP client would; the status."""
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request(method, url, body=data).status


def send_parts(store: S3Store, name: ObjectName, upload: Upload, data: bytes, numbers: Iterable[int]) -> None:
    for number in numbers:
        start = (number - 1) * upload.part_bytes
        url = store.uploads.url(name, upload.token, number)
        assert send(url, data[start : start + upload.part_bytes]) == 200


def test_parts_in_any_order_become_the_object(store: S3Store, settings: S3Settings) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    send_parts(store, NAME, upload, DATA, [3, 1, 2])
    assert store.size(NAME) is None
    store.uploads.complete(NAME, upload.token, len(DATA))
    assert b"".join(store.read(NAME)) == DATA
    assert keys(settings) == [f"objects/{NAME.key()}"]
    # A repeat, as after an answer that was lost.
    store.uploads.complete(NAME, upload.token, len(DATA))
    assert store.size(NAME) == len(DATA)


def test_an_upload_that_was_cut_goes_on(store: S3Store) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    send_parts(store, NAME, upload, DATA, [2])
    # A part that was sent in half first, and again.
    assert send(store.uploads.url(NAME, upload.token, 1), DATA[: 6 * MIB]) == 200
    with pytest.raises(UploadIncomplete) as caught:
        store.uploads.complete(NAME, upload.token, len(DATA))
    assert caught.value.parts == [1, 3]
    lengths = part_lengths(len(DATA))
    there = store.uploads.parts(NAME, upload.token)
    missing = [number for number, length in lengths.items() if there.get(number) != length]
    assert missing == [1, 3]
    send_parts(store, NAME, upload, DATA, missing)
    assert store.uploads.parts(NAME, upload.token) == lengths
    store.uploads.complete(NAME, upload.token, len(DATA))
    assert b"".join(store.read(NAME)) == DATA


def test_other_bytes_are_never_shown(store: S3Store, settings: S3Settings) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    send_parts(store, NAME, upload, DATA[:-1] + b"?", [1, 2, 3])
    with pytest.raises(DigestMismatch):
        store.uploads.complete(NAME, upload.token, len(DATA))
    assert store.size(NAME) is None
    assert keys(settings) == []
    with pytest.raises(UploadGone):
        store.uploads.complete(NAME, upload.token, len(DATA))


def test_more_parts_than_declared_are_refused(store: S3Store) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    send_parts(store, NAME, upload, DATA, [1, 2, 3])
    assert send(store.uploads.url(NAME, upload.token, 4), b"more") == 200
    with pytest.raises(UploadIncomplete) as caught:
        store.uploads.complete(NAME, upload.token, len(DATA))
    assert caught.value.parts == [4]


def test_an_upload_that_was_put_together_and_not_shown_is_completed(store: S3Store, settings: S3Settings) -> None:
    """The server died between the two."""
    upload = store.uploads.begin(NAME, len(DATA))
    send_parts(store, NAME, upload, DATA, [1, 2, 3])
    unique, _, upload_id = upload.token.partition(".")
    key = f"uploads/{NAME.key()}/{unique}"
    client = direct(settings)
    parts = client._list_parts(settings.bucket, key, upload_id).parts
    client._complete_multipart_upload(settings.bucket, key, upload_id, parts)
    assert store.size(NAME) is None
    store.uploads.complete(NAME, upload.token, len(DATA))
    assert b"".join(store.read(NAME)) == DATA
    assert keys(settings) == [f"objects/{NAME.key()}"]


def test_two_clients_upload_the_same(store: S3Store, settings: S3Settings) -> None:
    uploads = [store.uploads.begin(NAME, len(DATA)) for _ in range(2)]
    for upload in uploads:
        send_parts(store, NAME, upload, DATA, [1, 2, 3])
    wrong: list[BaseException] = []

    def complete(upload: Upload) -> None:
        try:
            store.uploads.complete(NAME, upload.token, len(DATA))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=complete, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert b"".join(store.read(NAME)) == DATA
    assert keys(settings) == [f"objects/{NAME.key()}"]


def test_an_address_is_for_its_part_alone(store: S3Store) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    url = store.uploads.url(NAME, upload.token, 1)
    assert "X-Amz-Expires=900" in url
    for wrong in (
        url.replace("partNumber=1", "partNumber=2"),
        url.replace("uploads/default", "uploads/other"),
        url.replace("X-Amz-Expires=900", "X-Amz-Expires=90000"),
        url.partition("?")[0],
    ):
        assert wrong != url
        assert send(wrong, b"x" * 10) == 403
    assert send(url, b"", "GET") == 403
    assert send(url, b"", "DELETE") == 403
    assert store.uploads.parts(NAME, upload.token) == {}


def test_addresses_name_the_public_endpoint(settings: S3Settings) -> None:
    store = S3Store(replace(settings, public_endpoint="https://s3.example:444"))
    upload = store.uploads.begin(NAME, 1)
    assert store.uploads.url(NAME, upload.token, 1).startswith(f"https://s3.example:444/{settings.bucket}/uploads/")
    store.uploads.abort(NAME, upload.token)
    store.close()


def test_an_upload_that_was_given_up_is_gone(store: S3Store) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    send_parts(store, NAME, upload, DATA, [1])
    for _ in range(2):
        store.uploads.abort(NAME, upload.token)
    with pytest.raises(UploadGone):
        store.uploads.parts(NAME, upload.token)
    with pytest.raises(UploadGone):
        store.uploads.complete(NAME, upload.token, len(DATA))
    assert send(store.uploads.url(NAME, upload.token, 2), b"x") == 404


@pytest.mark.parametrize("token", ["", "x", "../..", f"{'0' * 32}.", f"{'0' * 32}.a&b=c", f"{'0' * 32}.forged"])
def test_a_forged_token_is_no_upload(store: S3Store, token: str) -> None:
    with pytest.raises(UploadGone):
        store.uploads.complete(NAME, token, len(DATA))
    with pytest.raises(UploadGone):
        store.uploads.parts(NAME, token)


def test_another_objects_token_is_no_upload(store: S3Store) -> None:
    upload = store.uploads.begin(NAME, len(DATA))
    with pytest.raises(UploadGone):
        store.uploads.parts(name_of(b"other"), upload.token)
    store.uploads.abort(NAME, upload.token)


def test_what_was_never_shown_is_collected(store: S3Store, settings: S3Settings) -> None:
    key = f"uploads/{NAME.key()}/{'0' * 32}"
    direct(settings).put_object(settings.bucket, key, BytesIO(), 0)
    now = int(time.time() * 1000)
    assert collect_orphans(store, lambda names: frozenset(), now).uploads_dropped == 0
    assert collect_orphans(store, lambda names: frozenset(), now + 8 * 86_400_000).uploads_dropped == 1
    assert keys(settings) == []


@given(size=st.integers(1, 5 * 1024**4))
def test_parts_cover_an_object_of_any_size(size: int) -> None:
    part_bytes = part_bytes_of(size)
    assert part_bytes % MIB == 0
    assert 16 * MIB <= part_bytes <= 5 * 1024 * MIB
    lengths = part_lengths(size)
    assert sum(lengths.values()) == size
    assert list(lengths) == list(range(1, len(lengths) + 1))
    assert len(lengths) <= PARTS
    assert all(length == part_bytes for length in list(lengths.values())[:-1])
