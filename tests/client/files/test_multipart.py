"""Large files, over a real gateway and a real store, through a network that fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fleetlog._events.items import Writer
from fleetlog._files.artifacts import artifact_event
from fleetlog._files.local_files import FileChanged, opened
from fleetlog._files.multipart import uploaded_by_parts
from fleetlog._transport.connection import Connection
from fleetlog.errors import FleetlogError, Unavailable
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.objects.port import ObjectName
from fleetlog_core.objects.s3 import S3Store
from fleetlog_proto.v1 import ingest_pb2

from tests.client.delivery.test_delivery import writer
from tests.core.objects.stores import MIB, bucket
from tests.core.proxy import Proxy
from tests.core.serving.certificates import Authority
from tests.core.tls_proxy import TlsProxy
from tests.ingest.gateway.serving import serving

DATA = bytes(range(251)) * (70 * MIB // 251)


@dataclass
class Place:
    """A gateway over a store, and the network between the client and the store."""

    connection: Connection
    store: S3Store
    network: Proxy
    file: Path
    writer: Writer

    @property
    def name(self) -> ObjectName:
        return ObjectName("default", self.writer.run_id, hashlib.sha256(self.file.read_bytes()).digest())

    def send(self) -> None:
        """As a run does."""
        event = artifact_event(self.connection, self.writer, self.file, "model.bin", 0)
        assert event.artifact_logged.sha256 == self.name.sha256
        assert not event.artifact_logged.content


@pytest.fixture
def place(s3_server: str, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "model.bin").write_bytes(DATA)
    with ExitStack() as opened:
        settings = opened.enter_context(bucket(s3_server))
        parts = urlsplit(settings.endpoint)
        network = opened.enter_context(Proxy(parts.hostname or "", parts.port or 80))
        store = S3Store(replace(settings, public_endpoint=f"http://127.0.0.1:{network.port}"))
        opened.callback(store.close)
        gateway = opened.enter_context(serving(MemoryLog(), tmp_path, objects=store))
        connection = Connection(gateway.target)
        opened.callback(connection.close)
        yield Place(connection, store, network, tmp_path / "model.bin", writer())
        store.uploads.drop(1 << 60)


def test_a_large_file_goes_straight_into_the_store(place: Place) -> None:
    place.send()
    assert b"".join(place.store.read(place.name)) == DATA
    assert place.network.accepted == 5
    # What is there is not sent again.
    place.send()
    assert place.network.accepted == 5
    assert not place.connection.uploads


def test_a_store_with_tls_is_trusted_by_the_ca_that_servers_are(
    s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.bin").write_bytes(DATA)
    authority = Authority.made(tmp_path / "ca")
    with ExitStack() as opened:
        settings = opened.enter_context(bucket(s3_server))
        parts = urlsplit(settings.endpoint)
        proxy = opened.enter_context(TlsProxy(parts.hostname or "", parts.port or 80, authority.issue("127.0.0.1")))
        store = S3Store(replace(settings, public_endpoint=f"https://127.0.0.1:{proxy.port}"))
        opened.callback(store.close)
        gateway = opened.enter_context(serving(MemoryLog(), tmp_path, objects=store))
        connection = Connection(gateway.target)
        opened.callback(connection.close)
        with pytest.raises(Unavailable, match=r"takes no parts of model\.bin: SSLCertVerificationError"):
            artifact_event(connection, writer(), tmp_path / "model.bin", "model.bin", 0)
        monkeypatch.setenv("FLEETLOG_CA", str(authority.ca_file))
        artifact_event(connection, writer(), tmp_path / "model.bin", "model.bin", 0)
        assert proxy.accepted == 5, "70 MiB are five parts"
        store.uploads.drop(1 << 60)


def test_a_file_of_few_bytes_goes_through_the_gateway(place: Place) -> None:
    place.file.write_bytes(DATA[: 2 * MIB])
    place.send()
    assert place.store.size(place.name) == 2 * MIB
    assert place.network.accepted == 0


def test_parts_that_were_cut_are_sent_again_and_no_others(place: Place) -> None:
    # All but the end of the fifth and last part, which begins when one of the others is done.
    place.network.cut_after_sent = 67 * MIB
    with pytest.raises(Unavailable, match=r"takes no parts of model\.bin") as caught:
        place.send()
    assert "X-Amz" not in str(caught.value)
    assert place.store.size(place.name) is None
    before = place.network.accepted
    place.network.cut_after_sent = None
    place.send()
    assert b"".join(place.store.read(place.name)) == DATA
    assert place.network.accepted - before < 5


def test_an_upload_that_was_dropped_meanwhile_is_begun_again(place: Place) -> None:
    place.network.cut_after_sent = 20 * MIB
    with pytest.raises(Unavailable):
        place.send()
    place.network.cut_after_sent = None
    ((header, token),) = place.connection.uploads.items()
    assert header
    place.store.uploads.abort(place.name, token)
    with pytest.raises(Unavailable, match="begin again"):
        place.send()
    place.send()
    assert place.store.size(place.name) == len(DATA)


def header_of(place: Place) -> ingest_pb2.UploadHeader:
    """As the file is now; the tests change it then, as somebody may while it is sent."""
    return ingest_pb2.UploadHeader(
        run_id=place.writer.run_id.hex(),
        path="model.bin",
        size_bytes=place.file.stat().st_size,
        sha256=place.name.sha256,
    )


def test_a_file_that_changes_while_it_is_sent_is_never_shown_as_what_it_was(place: Place) -> None:
    before, header = place.name, header_of(place)
    place.file.write_bytes(DATA[:-1] + b"?")
    with opened(place.file) as file, pytest.raises(FleetlogError, match="SHA-256") as caught:
        uploaded_by_parts(place.connection, header, file)
    assert caught.value.reason == "DIGEST_MISMATCH"
    assert place.store.size(before) is None
    place.send()
    assert b"".join(place.store.read(place.name)) == DATA[:-1] + b"?"


def test_a_file_that_became_shorter_is_told(place: Place) -> None:
    header = header_of(place)
    place.file.write_bytes(DATA[: 5 * MIB])
    with opened(place.file) as file, pytest.raises(FileChanged, match=r"model\.bin was rewritten while it was read"):
        uploaded_by_parts(place.connection, header, file)
    assert not place.connection.uploads
    place.send()
    assert place.store.size(place.name) == 5 * MIB
