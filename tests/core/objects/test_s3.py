"""What a store behind a network adds: servers that are away, connections that are cut, names and secrets."""

from __future__ import annotations

import collections
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from urllib.parse import urlsplit

import pytest
from fleetlog_core.objects.port import ObjectStoreUnavailable
from fleetlog_core.objects.s3 import S3Store
from fleetlog_core.objects.s3_settings import S3Settings

from tests.core.objects.stores import MIB, bucket, chunked, direct, name_of
from tests.core.proxy import Proxy

DATA = bytes(range(256)) * (20 * MIB // 256)
NAME = name_of(DATA)


@pytest.fixture
def settings(s3_server: str) -> Iterator[S3Settings]:
    with bucket(s3_server) as settings:
        yield settings


@pytest.fixture
def proxy(settings: S3Settings) -> Iterator[Proxy]:
    parts = urlsplit(settings.endpoint)
    with Proxy(parts.hostname or "", parts.port or 80) as proxy:
        yield proxy


@pytest.fixture
def through(settings: S3Settings, proxy: Proxy) -> Iterator[S3Store]:
    """A store behind the proxy."""
    store = S3Store(replace(settings, endpoint=f"http://127.0.0.1:{proxy.port}", read_timeout_seconds=1.0))
    yield store
    store.close()


def test_a_store_that_is_away_is_unavailable_until_it_is_back(settings: S3Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = S3Store(replace(settings, endpoint=f"http://127.0.0.1:{port}", secret_key="secret-word"))
    begun = time.monotonic()
    for _ in range(2):
        with pytest.raises(ObjectStoreUnavailable) as caught:
            away.size(NAME)
        assert "secret-word" not in str(caught.value)
    assert time.monotonic() - begun < 5
    away.close()
    back = S3Store(replace(settings, endpoint=f"http://127.0.0.1:{port}"))
    with pytest.raises(ObjectStoreUnavailable):
        back.put(NAME, len(DATA), [DATA])
    parts = urlsplit(settings.endpoint)
    with Proxy(parts.hostname or "", parts.port or 80, at=port):
        back.put(NAME, len(DATA), [DATA])
        assert back.size(NAME) == len(DATA)
    back.close()


def test_keys_that_are_not_let_in_can_be_mended(settings: S3Settings) -> None:
    store = S3Store(replace(settings, secret_key="secret-word"))
    with pytest.raises(ObjectStoreUnavailable, match=r"AccessDenied|SignatureDoesNotMatch") as caught:
        store.put(NAME, len(DATA), [DATA])
    assert "secret-word" not in str(caught.value)
    store.close()


def test_a_put_that_was_cut_shows_nothing_and_can_be_repeated(
    settings: S3Settings, through: S3Store, proxy: Proxy
) -> None:
    proxy.cut_after_sent = 17 * MIB
    with pytest.raises(ObjectStoreUnavailable):
        through.put(NAME, len(DATA), chunked(DATA))
    proxy.cut_after_sent = None
    assert through.size(NAME) is None
    through.put(NAME, len(DATA), chunked(DATA))
    assert b"".join(through.read(NAME)) == DATA
    assert [one.object_name for one in direct(settings).list_objects(settings.bucket, recursive=True)] == [
        f"objects/{NAME.key()}"
    ]


def test_a_read_that_was_cut_goes_on_from_its_offset(through: S3Store, proxy: Proxy) -> None:
    through.put(NAME, len(DATA), chunked(DATA))
    proxy.cut_after_answered = 10 * MIB
    found = bytearray()
    with pytest.raises(ObjectStoreUnavailable):
        collections.deque(map(found.extend, through.read(NAME, chunk_bytes=65_536)))
    proxy.cut_after_answered = None
    assert 0 < len(found) < len(DATA)
    assert bytes(found) + b"".join(through.read(NAME, len(found))) == DATA


def test_a_silent_store_is_unavailable_within_seconds(through: S3Store, proxy: Proxy) -> None:
    assert through.size(NAME) is None
    proxy.stall()
    begun = time.monotonic()
    with pytest.raises(ObjectStoreUnavailable):
        through.size(NAME)
    assert time.monotonic() - begun < 8
    proxy.resume()
    assert through.size(NAME) is None


def test_what_others_keep_in_the_bucket_is_not_seen(settings: S3Settings) -> None:
    store = S3Store(settings)
    store.put(NAME, len(DATA), [DATA])
    client = direct(settings)
    for key in ("notes.txt", "objects/readme", f"objects/{NAME.key()}x", "objects/A/b/c"):
        client.put_object(settings.bucket, key, BytesIO(), 0)
    assert [one.name for one in store.listed()] == [NAME]
    store.close()


def test_settings_of_a_url() -> None:
    settings = S3Settings.from_url("https://AKIA:a%2Fb%2Bc@s3.eu-west-1.example/runs?region=eu-west-1&ca=/etc/ca.pem")
    assert (settings.endpoint, settings.bucket) == ("https://s3.eu-west-1.example", "runs")
    assert (settings.access_key, settings.secret_key, settings.region) == ("AKIA", "a/b+c", "eu-west-1")
    assert str(settings.ca_path) == "/etc/ca.pem"
    plain = S3Settings.from_url("http://k:s@127.0.0.1:9000?public=https://s3.example")
    assert (plain.endpoint, plain.bucket, plain.region) == ("http://127.0.0.1:9000", "fleetlog", "us-east-1")
    assert plain.public_endpoint == "https://s3.example"


def test_keys_are_never_shown() -> None:
    settings = S3Settings.from_url("http://hunter1:hunter2@h/bucket")
    assert "hunter" not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://k:hunter2@h", "https://"),
        ("http://h", "secret_key"),
        ("http://k:hunter2@", "endpoint"),
        ("http://k:hunter2@h/a/b", "bucket"),
        ("http://k:hunter2@h/UPPER", "bucket"),
        ("http://k:hunter2@h?ca=/x", "https://"),
        ("http://k:hunter2@h?tls=0", "tls"),
        ("http://k:hunter2@h?public=h", "public_endpoint"),
    ],
)
def test_a_wrong_url_names_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        S3Settings.from_url(url)
    assert "hunter2" not in str(caught.value)
