from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from fleetlog_core import limits
from fleetlog_core.errors import DeadlineExceeded, ResourceExhausted
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.port import ObjectName
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_ingest.gateway.upload_slots import UploadSlots
from fleetlog_ingest.gateway.uploads import Uploader
from fleetlog_proto.v1 import ingest_pb2

from tests.ingest.gateway.serving import RUN, SECONDS, Served, reason, serving, status_of
from tests.ingest.materializer.builders import frame, metrics

CONTENT = bytes(range(256)) * 4096


def header(content: bytes = CONTENT, **change: object) -> ingest_pb2.UploadArtifactRequest:
    fields: dict[str, object] = {
        "run_id": RUN.hex(),
        "path": "model.pt",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).digest(),
    }
    return ingest_pb2.UploadArtifactRequest(header=ingest_pb2.UploadHeader(**{**fields, **change}))  # type: ignore[arg-type]


def chunks(content: bytes = CONTENT, size: int = 65_536) -> list[ingest_pb2.UploadArtifactRequest]:
    return [
        ingest_pb2.UploadArtifactRequest(chunk=content[first : first + size]) for first in range(0, len(content), size)
    ]


def name(content: bytes = CONTENT) -> ObjectName:
    return ObjectName("default", RUN, hashlib.sha256(content).digest())


def nothing_left(path: Path) -> bool:
    return not any(found.is_file() for found in (path / "objects").rglob("*"))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Served]:
    with serving(MemoryLog(), tmp_path) as served:
        yield served


def refused(gateway: Served, *requests: ingest_pb2.UploadArtifactRequest) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.RpcError) as error:
        gateway.ingest.UploadArtifact(iter(requests), timeout=SECONDS)
    status = status_of(error.value)
    return error.value.code(), reason(status), status.message


def test_an_upload_is_stored_whole_and_again_is_the_same(gateway: Served, tmp_path: Path) -> None:
    for _ in range(2):
        gateway.ingest.UploadArtifact(iter([header(), *chunks()]), timeout=SECONDS)
    store = FolderStore(tmp_path / "objects")
    assert b"".join(store.read(name())) == CONTENT
    assert len([found for found in (tmp_path / "objects").rglob("*") if found.is_file()]) == 1


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x", b""])
def test_other_bytes_than_declared_are_not_stored(gateway: Served, tmp_path: Path, content: bytes) -> None:
    code, why, message = refused(gateway, header(), *chunks(content))
    assert (code, why) == (grpc.StatusCode.FAILED_PRECONDITION, "DIGEST_MISMATCH")
    assert "header" in message
    assert nothing_left(tmp_path)


def test_an_upload_that_was_cut_short_leaves_nothing_and_can_be_sent_again(gateway: Served, tmp_path: Path) -> None:
    half_sent, cut = threading.Event(), threading.Event()

    def half() -> Iterator[ingest_pb2.UploadArtifactRequest]:
        yield header()
        yield from chunks()[:8]
        half_sent.set()
        cut.wait(SECONDS)

    call = gateway.ingest.UploadArtifact.future(half(), timeout=SECONDS)
    assert half_sent.wait(SECONDS)
    call.cancel()
    cut.set()
    gateway.ingest.UploadArtifact(iter([header(), *chunks()]), timeout=SECONDS)
    assert FolderStore(tmp_path / "objects").size(name()) == len(CONTENT)


@pytest.mark.parametrize(
    ("change", "why", "field"),
    [
        ({"path": "../x"}, "ARTIFACT_PATH_INVALID", "header.path"),
        ({"path": "/etc/passwd"}, "ARTIFACT_PATH_INVALID", "header.path"),
        ({"run_id": "../../etc"}, "INVALID_ID", "header.run_id"),
        ({"namespace": "a/b"}, "INVALID_NAMESPACE", "header.namespace"),
        ({"size_bytes": -1}, "SIZE_INVALID", "header.size_bytes"),
        ({"size_bytes": 1 << 62}, "SIZE_INVALID", "header.size_bytes"),
        ({"sha256": b"short"}, "DIGEST_INVALID", "header.sha256"),
    ],
)
def test_a_wrong_header_is_refused_before_any_byte(
    gateway: Served, tmp_path: Path, change: dict[str, object], why: str, field: str
) -> None:
    code, found, message = refused(gateway, header(CONTENT, **change), *chunks())
    assert (code, found) == (grpc.StatusCode.INVALID_ARGUMENT, why)
    assert message.startswith(f"{field}: ")
    assert nothing_left(tmp_path)


def test_the_order_of_header_and_chunks(gateway: Served, tmp_path: Path) -> None:
    assert refused(gateway, *chunks())[1] == "UPLOAD_WITHOUT_HEADER"
    assert refused(gateway)[1] == "UPLOAD_WITHOUT_HEADER"
    assert refused(gateway, header(), header())[1] == "UPLOAD_CHUNK"
    large = CONTENT + b"x"
    assert refused(gateway, header(large), *chunks(large, limits.CHUNK_BYTES + 1))[1] == "UPLOAD_CHUNK"
    assert nothing_left(tmp_path)


def test_an_upload_that_brings_nothing_is_ended(tmp_path: Path) -> None:
    async def silence() -> AsyncIterator[ingest_pb2.UploadArtifactRequest]:
        yield header()
        yield chunks()[0]
        await asyncio.Event().wait()

    async def scenario() -> None:
        store, slots = FolderStore(tmp_path / "objects"), UploadSlots(Telemetry())
        await Uploader(store, executor, slots, stall_seconds=0.05).take(silence(), "client")

    with ThreadPoolExecutor(1) as executor, pytest.raises(DeadlineExceeded) as error:
        asyncio.run(scenario())
    assert error.value.reason == "UPLOAD_STALLED"
    assert nothing_left(tmp_path)


def test_uploads_that_stall_hold_up_nobody_but_uploads(gateway: Served) -> None:
    over = threading.Event()

    def stalled() -> Iterator[ingest_pb2.UploadArtifactRequest]:
        yield header()
        over.wait(SECONDS)

    calls = [gateway.ingest.UploadArtifact.future(stalled(), timeout=SECONDS) for _ in range(40)]
    try:
        # Asks the warehouse, which does not answer here: it is told at once.
        with pytest.raises(grpc.RpcError) as error:
            gateway.append([frame(metrics(2, x=[(0, 1.0)]))], 10.0)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    finally:
        over.set()
        for call in calls:
            call.cancel()


def trickling(over: threading.Event) -> Iterator[ingest_pb2.UploadArtifactRequest]:
    """A header and a byte, and no more until it is over."""
    yield header()
    yield ingest_pb2.UploadArtifactRequest(chunk=CONTENT[:1])
    over.wait(SECONDS)


def test_a_hundred_uploads_of_a_byte_now_and_then_hold_no_thread(gateway: Served, tmp_path: Path) -> None:
    over = threading.Event()
    calls = [gateway.ingest.UploadArtifact.future(trickling(over), timeout=SECONDS) for _ in range(100)]
    try:
        gateway.ingest.UploadArtifact(iter([header(), *chunks()]), timeout=5.0)
    finally:
        over.set()
        for call in calls:
            call.cancel()
    assert FolderStore(tmp_path / "objects").size(name()) == len(CONTENT)


def test_uploads_that_began_well_and_stopped_are_ended_when_others_wait(tmp_path: Path) -> None:
    sent = asyncio.Semaphore(0)

    async def stopped() -> AsyncIterator[ingest_pb2.UploadArtifactRequest]:
        yield header()
        for chunk in chunks()[:-1]:
            yield chunk
        sent.release()
        await asyncio.Event().wait()

    async def whole() -> AsyncIterator[ingest_pb2.UploadArtifactRequest]:
        for request in (header(), *chunks()):
            yield request

    async def scenario() -> list[BaseException | None]:
        store, slots = FolderStore(tmp_path / "objects"), UploadSlots(telemetry, threads=3, window_seconds=0.1)
        uploader = Uploader(store, executor, slots)
        slow = [asyncio.create_task(uploader.take(stopped(), "slow")) for _ in range(3)]
        for _ in slow:
            await sent.acquire()
        assert slots.threads.held == 3
        await uploader.take(whole(), "good")
        assert store.size(name()) == len(CONTENT)
        await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        for task in slow:
            task.cancel()
        return await asyncio.gather(*slow, return_exceptions=True)

    telemetry = Telemetry()
    with ThreadPoolExecutor(3) as executor:
        ended = [error for error in asyncio.run(scenario()) if isinstance(error, ResourceExhausted)]
    assert [(error.reason, error.retry_after_seconds) for error in ended] == [("UPLOAD_TOO_SLOW", 2.0)]
    assert telemetry.registry.get_sample_value("fleetlog_limited_total", {"reason": "UPLOAD_TOO_SLOW"}) == 1
