"""The interceptor that every call passes: whatever a handler raises becomes a status a client may see."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from fleetlog_core.errors import DeadlineExceeded, FleetlogError, ResourceExhausted, Unavailable
from fleetlog_core.log.port import LogUnavailable, RecordTooLarge
from fleetlog_core.objects.port import ObjectStoreUnavailable
from fleetlog_core.serving.arriving import Arriving, refuse_undecodable, tolerant
from fleetlog_core.serving.status import DETAILS_KEY, code_of, to_status
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import TimedOut, WarehouseUnavailable

diagnostics = logging.getLogger(__name__)
INTERNAL = "an internal error; the server's log has more"
RETRY_SECONDS = 1.0

Context = grpc.aio.ServicerContext[Any, Any]


def told(error: BaseException) -> FleetlogError | None:
    """The error as a client may see it; None for one that is ours alone."""
    if isinstance(error, FleetlogError):
        return error
    if isinstance(error, (LogUnavailable, WarehouseUnavailable, ObjectStoreUnavailable)):
        diagnostics.warning("a part does not answer: %s", error)
        return Unavailable(
            "BACKEND_UNAVAILABLE", "a part of the server does not answer; retry", retry_after_seconds=RETRY_SECONDS
        )
    if isinstance(error, TimedOut):
        return DeadlineExceeded("STATEMENT_TIMEOUT", "the answer took longer than it may; ask for less, or later")
    if isinstance(error, RecordTooLarge):
        return ResourceExhausted("RECORD_TOO_LARGE", "the request is larger than the log takes; send several")
    return None


def draining() -> Unavailable:
    """What a stream ends with when its server goes."""
    return Unavailable("DRAINING", "the server is stopping; connect again", retry_after_seconds=RETRY_SECONDS)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler."""

    def __init__(self, draining: asyncio.Event, telemetry: Telemetry) -> None:
        self._draining = draining
        self._telemetry = telemetry

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        if handler.request_streaming and handler.response_streaming:
            make, behaviour = grpc.stream_stream_rpc_method_handler, self._conversation(handler.stream_stream)
        elif handler.request_streaming:
            make, behaviour = grpc.stream_unary_rpc_method_handler, self._upload(handler.stream_unary)
        elif not handler.response_streaming:
            make, behaviour = grpc.unary_unary_rpc_method_handler, self._answer(handler.unary_unary)
        elif inspect.iscoroutinefunction(handler.unary_stream):
            # It writes its responses itself, as the health service's Watch does.
            make, behaviour = grpc.unary_stream_rpc_method_handler, self._answer(handler.unary_stream)
        else:
            make, behaviour = grpc.unary_stream_rpc_method_handler, self._stream(handler.unary_stream)
        return make(behaviour, tolerant(handler.request_deserializer), handler.response_serializer)

    def _answer(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(request: Any, context: Context) -> Any:
            try:
                refuse_undecodable(request)
                return await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # the last place that can keep a stack trace from a client
                await self._fail(context, error)

        return handle

    def _stream(self, behaviour: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                refuse_undecodable(request)
                async for response in behaviour(request, context):
                    yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # the last place that can keep a stack trace from a client
                await self._fail(context, error)

        return handle

    def _upload(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(requests: AsyncIterator[Any], context: Context) -> Any:
            # An upload that was begun may end within the grace of a drain: half of it is worth nothing.
            arriving = Arriving(requests, asyncio.Event())
            try:
                return await behaviour(arriving, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # the last place that can keep a stack trace from a client
                await self._fail(context, error)
            finally:
                arriving.close()

        return handle

    def _conversation(self, behaviour: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
        async def handle(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            arriving = Arriving(requests, self._draining)
            try:
                async for response in behaviour(arriving, context):
                    yield response
                if arriving.cut:
                    raise draining()
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # the last place that can keep a stack trace from a client
                await self._fail(context, error)
            finally:
                arriving.close()

        return handle

    async def _fail(self, context: Context, error: Exception) -> None:
        """End the call with the error."""
        known = told(error)
        if known is None:
            self._telemetry.refused.labels("INTERNAL").inc()
            diagnostics.error("a call failed", exc_info=error)
            await context.abort(grpc.StatusCode.INTERNAL, INTERNAL)
        else:
            self._telemetry.refused.labels(known.reason).inc()
            status = to_status(known)
            await context.abort(code_of(known), status.message, ((DETAILS_KEY, status.SerializeToString()),))
