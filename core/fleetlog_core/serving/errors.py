"""The interceptor that every call passes: whatever a handler raises becomes a status a client may see."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from fleetlog_core import limits
from fleetlog_core.errors import FleetlogError, InvalidArgument, ResourceExhausted, Unavailable
from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.objects.port import ObjectStoreUnavailable
from fleetlog_core.rebuilds import NotWhole
from fleetlog_core.serving.calls import Calls, Context
from fleetlog_core.serving.handlers import wrapped
from fleetlog_core.serving.status import DETAILS_KEY, code_of, cut, status_bytes
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import Span
from fleetlog_core.unavailable import PartUnavailable
from fleetlog_core.warehouse.port import TimedOut, TooMuchToRead, WarehouseUnavailable

diagnostics = logging.getLogger(__name__)
QUIET_SECONDS = 60.0
"""A failure that was not met for so long is told anew."""
_PARTS: dict[type[Exception], str] = {
    LogUnavailable: "the event log",
    WarehouseUnavailable: "the warehouse",
    TimedOut: "the warehouse",
    ObjectStoreUnavailable: "the artifact store",
}
INTERNAL = "an internal error; the server's log has more"

__all__ = ["Context", "ErrorInterceptor", "Undecodable", "fail", "refuse_undecodable", "told"]


class Undecodable:
    """What a deserializer returns for bytes that are not the message: the handler refuses it in its own words."""


def told(error: BaseException) -> FleetlogError | None:
    """The error as a client may see it; None for one that is ours alone."""
    if isinstance(error, FleetlogError):
        return error
    if isinstance(error, NotWhole):
        return Unavailable("WAREHOUSE_REBUILDING", str(error), retry_after_seconds=1.0)
    if isinstance(error, (PartUnavailable, TimedOut)):
        return _unavailable(error)
    if isinstance(error, TooMuchToRead):
        return ResourceExhausted(
            "READS_TOO_MUCH",
            f"filter: its windows would read more than {limits.FILTER_POINTS:,} points; ask for fewer experiments, or"
            " add conditions by AND that leave fewer runs",
        )
    return None


def _unavailable(error: PartUnavailable | TimedOut) -> Unavailable:
    part = next((name for kind, name in _PARTS.items() if isinstance(error, kind)), "a part of the server")
    if isinstance(error, TimedOut):
        why = "did not answer in time"
    else:
        why = f"can't be used now: {error.shortage}" if error.shortage else "does not answer"
    return Unavailable("BACKEND_UNAVAILABLE", f"{part} {why}; retry", retry_after_seconds=1.0)


class ToldLately:
    """Kinds of failures that were told, each once in its time: one that goes on is not told again. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def is_new(self, kind: str) -> bool:
        """True if the kind was not met for QUIET_SECONDS, or never."""
        with self._lock:
            now, before = self._clock(), self._seen.get(kind)
            self._seen[kind] = now
            return before is None or now - before >= QUIET_SECONDS


async def fail(context: Context, error: BaseException, calls: Calls, span: Span, lately: ToldLately) -> None:
    """End the call with the error."""
    known = told(error)
    # That no writes are taken is told by who asks whether the process is ready.
    is_of_a_part = isinstance(error, (PartUnavailable, TimedOut)) and not isinstance(error, LogUnavailable)
    if is_of_a_part and lately.is_new(type(error).__name__):
        diagnostics.warning("calls fail, since a part can't be used: %s", error)
    if known is not None:
        # What the call held is in its frames. A client that does not read is told when it does, or never.
        error.__traceback__ = None
    calls.failed(known.reason if known is not None else "INTERNAL", span)
    if known is not None:
        trailing = ((DETAILS_KEY, status_bytes(known)),)
        await context.abort(code_of(known), cut(known.message), trailing)
    diagnostics.error("a call failed", exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, INTERNAL)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler, and counts how its calls end."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lately = ToldLately()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        calls = Calls(self._telemetry, handler_call_details.method)
        unary = partial(_unary, calls=calls, lately=self._lately)
        stream = partial(_stream, calls=calls, lately=self._lately)
        return wrapped(
            handler, unary_unary=unary, unary_stream=stream, stream_unary=unary, stream_stream=stream,
            deserialize=_tolerant(handler.request_deserializer),
        )  # fmt: skip


def _tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            # grpc would answer INTERNAL, as if the server were at fault.
            return Undecodable()

    return decode


def refuse_undecodable(request: object) -> None:
    """INVALID_ARGUMENT UNDECODABLE for bytes that were not the message."""
    if isinstance(request, Undecodable):
        raise InvalidArgument("UNDECODABLE", "the bytes are not the message of this call; send fleetlog.v1 protobuf")


def _unary(behaviour: Callable[..., Any], calls: Calls, lately: ToldLately) -> Callable[..., Any]:
    async def handle(request: Any, context: Context) -> Any:
        with calls.counted(context) as span:
            try:
                refuse_undecodable(request)
                return await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # the last place that can keep a stack trace from a client
                await fail(context, error, calls, span, lately)

    return handle


def _stream(
    behaviour: Callable[..., AsyncIterator[Any] | Awaitable[None]], calls: Calls, lately: ToldLately
) -> Callable[..., Any]:
    async def handle(request: Any, context: Context) -> AsyncIterator[Any]:
        with calls.counted(context) as span:
            try:
                refuse_undecodable(request)
                answers = behaviour(request, context)
                if inspect.isawaitable(answers):
                    # A handler that writes to the context itself, as Watch of the health service does.
                    await answers
                    return
                async for response in answers:
                    yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # the last place that can keep a stack trace from a client
                await fail(context, error, calls, span, lately)

    return handle
