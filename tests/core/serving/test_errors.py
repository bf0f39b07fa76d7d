from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator

import grpc
import pytest
from fleetlog_core import limits
from fleetlog_core.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FleetlogError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Violation,
)
from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.objects.port import ObjectStoreUnavailable
from fleetlog_core.printable import printable
from fleetlog_core.serving.errors import INTERNAL, QUIET_SECONDS, ToldLately, told
from fleetlog_core.serving.status import DETAILS_KEY
from fleetlog_core.warehouse.port import TimedOut, WarehouseUnavailable
from fleetlog_proto.v1 import ingest_pb2, ingest_pb2_grpc, metric_pb2, query_pb2, query_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

from tests.core.serving.servers import QUERY, Served, served

SECRET = "SELECT secret FROM /srv/data at /home/me/token.key"


async def attempts(it: Served) -> list[grpc.aio.AioRpcError]:
    """How a call of each of the four shapes fails."""
    query, ingest = query_pb2_grpc.QueryServiceStub(it.channel), ingest_pb2_grpc.IngestServiceStub(it.channel)

    async def uploads() -> AsyncIterator[ingest_pb2.UploadArtifactRequest]:
        yield ingest_pb2.UploadArtifactRequest()

    async def frames() -> AsyncIterator[ingest_pb2.AppendEventsRequest]:
        yield ingest_pb2.AppendEventsRequest()

    failures = []
    with pytest.raises(grpc.aio.AioRpcError) as unary:
        await query.GetRun(query_pb2.GetRunRequest(), timeout=30)
    failures.append(unary.value)
    with pytest.raises(grpc.aio.AioRpcError) as uploaded:
        await ingest.UploadArtifact(uploads(), timeout=30)
    failures.append(uploaded.value)
    for stream in (
        query.ReadMetric(metric_pb2.ReadMetricRequest(), timeout=30),
        ingest.AppendEvents(frames(), timeout=30),
    ):
        await stream.read()  # what was answered before the error arrives
        with pytest.raises(grpc.aio.AioRpcError) as streamed:
            await stream.read()
        failures.append(streamed.value)
    return failures


def test_a_part_that_lacks_something_is_named_with_what_it_lacks_and_nothing_else() -> None:
    said = [
        told(LogUnavailable("/data/log: database or disk is full", shortage="its disk is full")),
        told(WarehouseUnavailable("Code: 76. Cannot open file /data/store/x")),
        told(TimedOut("SELECT secret")),
        told(ObjectStoreUnavailable("S3 at http://host refused", shortage="its quota is used up")),
    ]
    assert [error and (error.code, error.reason, error.message, error.retry_after_seconds) for error in said] == [
        ("UNAVAILABLE", "BACKEND_UNAVAILABLE", f"{words}; retry", 1.0)
        for words in (
            "the event log can't be used now: its disk is full",
            "the warehouse does not answer",
            "the warehouse did not answer in time",
            "the artifact store can't be used now: its quota is used up",
        )
    ]


def test_what_goes_on_failing_is_told_once_and_anew_when_it_was_gone() -> None:
    now = 0.0
    lately = ToldLately(lambda: now)
    assert [lately.is_new("a"), lately.is_new("a"), lately.is_new("b")] == [True, False, True]
    now += QUIET_SECONDS - 1
    assert not lately.is_new("a")
    now += QUIET_SECONDS - 1
    assert not lately.is_new("a")
    now += QUIET_SECONDS
    assert lately.is_new("a")


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    details = [value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY]
    assert len(details) == 1
    assert isinstance(details[0], bytes)
    return status_pb2.Status.FromString(details[0])


def failing(error: Exception) -> list[grpc.aio.AioRpcError]:
    async def behave() -> None:
        raise error

    async def scenario() -> list[grpc.aio.AioRpcError]:
        async with served(behave) as it:
            return await attempts(it)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
        (NotFound, grpc.StatusCode.NOT_FOUND),
        (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
        (FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
        (ResourceExhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Unavailable, grpc.StatusCode.UNAVAILABLE),
        (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
        (FleetlogError, grpc.StatusCode.UNKNOWN),
    ],
)
def test_an_error_arrives_with_all_it_says(kind: type[FleetlogError], code: grpc.StatusCode) -> None:
    violations = (Violation("frame.events[3]", "is not 1 … 9; mend it"), Violation("other", "missing"))
    error = kind("A_REASON", "is not 1 … 9", violations=violations, metadata={"k": "v"}, retry_after_seconds=1.5)
    for failure in failing(error):
        assert (failure.code(), failure.details()) == (code, "is not 1 … 9")
        status = status_of(failure)
        assert (status.code, status.message) == (code.value[0], "is not 1 … 9")
        info, bad, retry = (
            error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo(),
        )  # fmt: skip
        assert [any_.Unpack(one) for any_, one in zip(status.details, (info, bad, retry), strict=True)] == [True] * 3
        assert (info.reason, info.domain, dict(info.metadata)) == ("A_REASON", "fleetlog", {"k": "v"})
        assert [(v.field, v.description) for v in bad.field_violations] == [
            (v.field, v.description) for v in violations
        ]
        assert retry.retry_delay.ToMilliseconds() == 1_500


def test_an_error_without_fields_says_no_more_than_its_reason() -> None:
    for failure in failing(NotFound("RUN_NOT_FOUND", "there is no run")):
        assert [any_.TypeName() for any_ in status_of(failure).details] == ["google.rpc.ErrorInfo"]


@pytest.mark.parametrize("letter", ["x", "é", "…", "\n"])
def test_an_error_of_any_length_keeps_its_code(letter: str) -> None:
    many = tuple(Violation(f"f[{n}]" + letter * 10_000, letter * 10_000) for n in range(100))
    for failure in failing(FailedPrecondition("LONG", "it begins so " + letter * 100_000, violations=many)):
        assert failure.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert status_of(failure).message.startswith("it begins so " + printable(letter))
        assert status_of(failure).message.endswith("…")


@pytest.mark.parametrize(
    "error", [LogUnavailable(SECRET), WarehouseUnavailable(SECRET), ObjectStoreUnavailable(SECRET), TimedOut(SECRET)]
)
def test_a_part_that_does_not_answer_is_worth_a_retry(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    for failure in failing(error):
        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        retry = error_details_pb2.RetryInfo()
        assert [any_.Unpack(retry) for any_ in status_of(failure).details] == [False, True]
        assert retry.retry_delay.ToMilliseconds() == 1_000
        assert_told_nothing(failure)
    # That the log takes no writes is told once by who asks whether the process is ready.
    assert (SECRET in caplog.text) is not isinstance(error, LogUnavailable)


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), KeyError(SECRET), StopAsyncIteration(SECRET), OSError(2, SECRET)]
)
def test_an_unknown_exception_is_for_the_log_alone(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    for failure in failing(error):
        assert (failure.code(), failure.details()) == (grpc.StatusCode.INTERNAL, INTERNAL)
        assert DETAILS_KEY not in dict(failure.trailing_metadata() or ())
        assert_told_nothing(failure)
    assert SECRET in caplog.text
    assert "Traceback" in caplog.text


def assert_told_nothing(failure: grpc.aio.AioRpcError) -> None:
    told = f"{failure.details()} {list(failure.trailing_metadata() or ())} {list(failure.initial_metadata() or ())}"
    for part in ("secret", "/srv", "token.key", "Traceback", "File "):
        assert part not in told


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"\xff" * 100, {}),
        (query_pb2.GetRunRequest(run_id="x" * 100).SerializeToString()[:50], {}),
        (b"\x0a\xff\xff\xff\xff\x0f", {}),
        (b"\x12\x02\xc3\x28", {}),
        (gzip.compress(b"not a message", mtime=0), {"compression": grpc.Compression.Gzip}),
    ],
)
@pytest.mark.parametrize("method", ["GetRun", "ReadMetric"])
def test_garbage_is_the_callers_fault(data: bytes, options: dict[str, object], method: str) -> None:
    async def scenario() -> None:
        async with served() as it:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await it.unary(data, f"/{QUERY}/{method}", **options)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            info = error_details_pb2.ErrorInfo()
            assert status_of(caught.value).details[0].Unpack(info)
            assert info.reason == "UNDECODABLE"
            await it.unary(b"")

    asyncio.run(scenario())


def test_what_is_too_large_is_refused_and_the_next_call_is_not() -> None:
    async def scenario() -> None:
        async with served() as it:
            for data, options in (
                (bytes(limits.MESSAGE_BYTES + 1), {}),
                # A bomb: small on the wire, 64 MB when it is let out.
                (bytes(64 << 20), {"compression": grpc.Compression.Gzip}),
                (b"", {"metadata": (("x-large", "x" * (20 << 10)),)}),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await it.unary(data, **options)
                assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                await it.unary(b"")
            with pytest.raises(grpc.aio.AioRpcError) as missing:
                await it.unary(b"", f"/{QUERY}/DropEverything")
            assert missing.value.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(scenario())
