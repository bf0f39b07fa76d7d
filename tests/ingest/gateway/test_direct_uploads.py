"""Uploads by parts as a client sees them: what is answered, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import urllib3
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.objects.s3 import S3Store
from fleetlog_proto.v1 import ingest_pb2

from tests.core.objects.stores import MIB, s3
from tests.ingest.gateway.serving import RUN, SECONDS, Served, reason, serving, status_of

DATA = bytes(range(251)) * (20 * MIB // 251)


@pytest.fixture(scope="module")
def store(s3_server: str) -> Iterator[S3Store]:
    with s3(s3_server) as store:
        yield store
        store.uploads.drop(1 << 60)


@pytest.fixture(scope="module")
def gateway(store: S3Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(MemoryLog(), tmp_path_factory.mktemp("gateway"), objects=store) as served:
        yield served


def header(content: bytes = DATA, **change: object) -> ingest_pb2.UploadHeader:
    fields: dict[str, object] = {
        "run_id": RUN.hex(),
        "path": "model.pt",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).digest(),
    }
    return ingest_pb2.UploadHeader(**{**fields, **change})  # type: ignore[arg-type]


def begin(gateway: Served, what: ingest_pb2.UploadHeader) -> ingest_pb2.BeginUploadResponse:
    return gateway.ingest.BeginUpload(ingest_pb2.BeginUploadRequest(header=what), timeout=SECONDS)


def parts(gateway: Served, what: ingest_pb2.UploadHeader, token: str) -> list[ingest_pb2.UploadPart]:
    request = ingest_pb2.GetUploadPartsRequest(header=what, upload_token=token)
    return list(gateway.ingest.GetUploadParts(request, timeout=SECONDS).parts)


def complete(gateway: Served, what: ingest_pb2.UploadHeader, token: str) -> None:
    request = ingest_pb2.CompleteUploadRequest(header=what, upload_token=token)
    gateway.ingest.CompleteUpload(request, timeout=SECONDS)


def send(content: bytes, part: ingest_pb2.UploadPart) -> None:
    with urllib3.PoolManager() as pool:
        body = content[part.offset_bytes : part.offset_bytes + part.size_bytes]
        assert pool.request("PUT", part.url, body=body).status == 200


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), reason(status_of(caught.value))


def test_missing_parts_are_named_until_there_are_none(gateway: Served, store: S3Store) -> None:
    what = header()
    token = begin(gateway, what).upload_token
    first, last = parts(gateway, what, token)
    assert (first.offset_bytes, first.size_bytes) == (0, 16 * MIB)
    assert last.offset_bytes + last.size_bytes == len(DATA)
    send(DATA, last)
    assert [part.offset_bytes for part in parts(gateway, what, token)] == [0]
    assert refused(lambda: complete(gateway, what, token)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "UPLOAD_INCOMPLETE",
    )
    send(DATA, first)
    assert parts(gateway, what, token) == []
    for _ in range(2):
        complete(gateway, what, token)
    found = begin(gateway, what)
    assert (found.stored, found.upload_token) == (True, "")


def test_at_most_twenty_parts_at_a_time(gateway: Served) -> None:
    what = header(size_bytes=1 << 40)
    token = begin(gateway, what).upload_token
    found = parts(gateway, what, token)
    assert len(found) == 20
    assert found[1].offset_bytes == found[0].size_bytes
    assert found[0].size_bytes * 10_000 >= 1 << 40


def test_other_bytes_than_declared_are_refused_and_removed(gateway: Served) -> None:
    what, wrong = header(DATA + b"x"), DATA + b"y"
    token = begin(gateway, what).upload_token
    for part in parts(gateway, what, token):
        send(wrong, part)
    assert refused(lambda: complete(gateway, what, token)) == (grpc.StatusCode.FAILED_PRECONDITION, "DIGEST_MISMATCH")
    assert not begin(gateway, what).stored
    assert refused(lambda: parts(gateway, what, token)) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_GONE")


def test_a_token_is_for_its_bytes_run_and_namespace_alone(gateway: Served) -> None:
    content = DATA + b"z"
    token = begin(gateway, header(content)).upload_token
    others = [header(DATA + b"?"), header(content, run_id="ab" * 16), header(content, namespace="other")]
    for other in others:
        assert refused(lambda other=other: parts(gateway, other, token)) == (  # type: ignore[misc]
            grpc.StatusCode.NOT_FOUND,
            "UPLOAD_GONE",
        )
        assert refused(lambda other=other: complete(gateway, other, token)) == (  # type: ignore[misc]
            grpc.StatusCode.NOT_FOUND,
            "UPLOAD_GONE",
        )


@pytest.mark.parametrize(
    "change", [{"path": "../x"}, {"run_id": "x"}, {"sha256": b"short"}, {"size_bytes": -1}, {"namespace": "a/b"}]
)
def test_each_call_checks_its_header(gateway: Served, change: dict[str, object]) -> None:
    what = header(DATA, **change)
    for call in (
        lambda: begin(gateway, what),
        lambda: parts(gateway, what, "x"),
        lambda: complete(gateway, what, "x"),
    ):
        assert refused(call)[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_few_bytes_are_streamed(gateway: Served) -> None:
    found = begin(gateway, header(DATA[: 16 * MIB]))
    assert (found.stored, found.upload_token) == (False, "")


def test_a_store_that_takes_no_uploads_wants_a_stream(tmp_path: Path) -> None:
    with serving(MemoryLog(), tmp_path) as alone:
        assert begin(alone, header()).upload_token == ""
        assert refused(lambda: parts(alone, header(), "x")) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_GONE")
