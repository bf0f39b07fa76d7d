"""All interceptors as one: a handler is put together once for each method, and who is not known comes no further.

Else each call would make its handler anew, three times, and a stranger's message would be received and decoded before
it is refused. The mark: a denied call costs a fifth of a search at most (benchmarks/README.md, callers).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from fleetlog_core.serving.authorization import AuthorizationInterceptor
from fleetlog_core.serving.errors import ErrorInterceptor
from fleetlog_core.serving.floods import Floods

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


class Pipeline(grpc.aio.ServerInterceptor):
    """Stands before the other interceptors, none of which may look at more of a call's details than its method."""

    def __init__(
        self, errors: ErrorInterceptor, authorization: AuthorizationInterceptor | None, floods: Floods
    ) -> None:
        self._errors = errors
        self._authorization = authorization
        self._floods = floods
        self._handlers: dict[str, Any] = {}
        """Handlers by method, for those that are there: what is asked for beside them is any text."""
        self._refusing: dict[str, Any] = {}

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """See grpc.aio.ServerInterceptor."""
        method = handler_call_details.method
        handler = self._handlers.get(method)
        if handler is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._handlers[method] = handler
        if self._authorization is None or self._authorization.admits(handler_call_details):
            return self._floods.looking(handler)
        refusing = self._refusing.get(method)
        if refusing is None:
            refusing = self._refusing[method] = await self._made(self._authorization, handler_call_details)
        return self._floods.looking(refusing)

    async def _made(self, authorization: AuthorizationInterceptor, details: grpc.HandlerCallDetails) -> Any:
        async def continuation(details: grpc.HandlerCallDetails) -> Any:
            return authorization.refusing(details.method)

        return await self._errors.intercept_service(continuation, details)
