"""The interceptor that knows callers: who it is, and whether they may do what a call asks, before it does anything.

A call is looked at once; a stream once at its begin, and again when a message names another namespace. What lasts ends,
UNAUTHENTICATED, when its token ends or is revoked.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from fleetlog_core.auth.authentication import Authentication, unauthenticated
from fleetlog_core.auth.identity import Identity, RoleMissing, caller, set_caller
from fleetlog_core.auth.permissions import Rule
from fleetlog_core.errors import PermissionDenied, Unauthenticated, Unavailable
from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.serving.calls import Context
from fleetlog_core.serving.denials import FOREIGN_NAMESPACE, Denials
from fleetlog_core.serving.errors import Undecodable
from fleetlog_core.serving.handlers import Behaviour, wrapped

AUTHORIZATION = "authorization"
_UNKNOWN = Identity("", ())
"""Whoever shows no valid token."""
_ADMITTED: ContextVar[Identity | None] = ContextVar("fleetlog_admitted", default=None)
"""Who was known when the call began, in the call's own task."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that is made, what it asks of its caller, and who is told when that is denied."""

    method: str
    rule: Rule | None
    denials: Denials | None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Around the call: notes that it was denied, by whomever."""
        try:
            yield
        except (PermissionDenied, Unauthenticated) as error:
            if self.denials is not None:
                identity = _UNKNOWN if isinstance(error, Unauthenticated) else caller()
                namespace = error.namespace if isinstance(error, RoleMissing) else ""
                self.denials.note(identity, self.method, error.reason, namespace)
            raise

    def hidden(self, namespace: str) -> None:
        """The call finds nothing, since the namespace is not the caller's."""
        if self.denials is not None:
            self.denials.note(caller(), self.method, FOREIGN_NAMESPACE, namespace or DEFAULT_NAMESPACE)


class AuthorizationInterceptor(grpc.aio.ServerInterceptor):
    """Stands behind the interceptor of errors, which tells what this one raises. For one event loop."""

    def __init__(self, authentication: Authentication, denials: Denials | None = None) -> None:
        """`denials`: takes what is denied; None = nobody asks for it."""
        self._authentication = authentication
        self._denials = denials
        self._rules: dict[str, Rule] = {}
        self._lasting: dict[asyncio.Timeout, Identity] = {}
        """Streams under way, with whom they are for."""

    def put_rules(self, rules: dict[str, Rule]) -> None:
        """What each call asks, by its full name, before any is served."""
        self._rules = rules

    async def refresh(self) -> None:
        """Read tokens again, and end what is under way with one that is valid no longer."""
        await asyncio.to_thread(self._authentication.refresh)
        now = asyncio.get_running_loop().time()
        for timeout, identity in list(self._lasting.items()):
            if not self._authentication.is_current(identity):
                del self._lasting[timeout]
                timeout.reschedule(now)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        rule = self._rules.get(handler_call_details.method)
        if rule is not None and rule.permission is None:
            return handler
        asked = _Asked(handler_call_details.method, rule, self._denials)
        return wrapped(
            handler,
            unary_unary=partial(self._single, asked=asked),
            unary_stream=partial(self._streamed, asked=asked, has_many=False),
            stream_unary=partial(self._collected, asked=asked),
            stream_stream=partial(self._streamed, asked=asked, has_many=True),
        )

    def admits(self, details: grpc.HandlerCallDetails) -> bool:
        """True if the call may go on to its handler, before a message of it is received.

        False: it shows no valid token, and `refusing` is to answer it. Whoever is known is not asked for again.
        """
        rule = self._rules.get(details.method)
        if rule is not None and rule.permission is None:
            return True
        try:
            _ADMITTED.set(self._authentication.identify(_shown(details.invocation_metadata)))
        except Unauthenticated:
            return False
        except Unavailable:
            # The handler meets it again, where it can be told.
            return True
        return True

    def refusing(self, method: str) -> Any:
        """A handler for calls without a valid token. It takes no message, so none is waited for."""
        asked = _Asked(method, self._rules.get(method), self._denials)

        async def handle(requests: AsyncIterator[Any], context: Context) -> None:
            with asked.noted():
                raise unauthenticated()

        # Messages stay bytes, where one is looked for (Floods).
        return grpc.stream_stream_rpc_method_handler(handle, bytes)

    def _identify(self, context: Context, rule: Rule | None) -> tuple[Identity, Rule]:
        """Unauthenticated, PermissionDenied, Unavailable."""
        identity = _ADMITTED.get()
        if identity is None:
            identity = self._authentication.identify(_shown(context.invocation_metadata()))
        elif not self._authentication.is_current(identity):
            # The message may have come long after the call began.
            raise unauthenticated()
        if rule is None:
            raise PermissionDenied("METHOD_UNSAID", "this call does not say what it asks of its caller")
        set_caller(identity)
        return identity, rule

    def _single(self, behaviour: Behaviour, asked: _Asked) -> Behaviour:
        async def handle(request: Any, context: Context) -> Any:
            with asked.noted():
                identity, known = self._identify(context, asked.rule)
                known.check(identity, request, None, asked.hidden)
                return await behaviour(request, context)

        return handle

    def _collected(self, behaviour: Behaviour, asked: _Asked) -> Behaviour:
        async def handle(requests: AsyncIterator[Any], context: Context) -> Any:
            with asked.noted():
                identity, known = self._identify(context, asked.rule)
                async with self._valid(identity):
                    return await behaviour(_checked(requests, identity, known, asked), context)

        return handle

    def _streamed(self, behaviour: Behaviour, asked: _Asked, has_many: bool) -> Behaviour:
        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:
            with asked.noted():
                identity, known = self._identify(context, asked.rule)
                if has_many:
                    request = _checked(request, identity, known, asked)
                else:
                    known.check(identity, request, None, asked.hidden)
                async with self._valid(identity):
                    answers = behaviour(request, context)
                    if inspect.isawaitable(answers):
                        await answers
                        return
                    async for response in answers:
                        yield response

        return handle

    @asynccontextmanager
    async def _valid(self, identity: Identity) -> AsyncIterator[None]:
        """As long as the token is valid; Unauthenticated then."""
        left = self._authentication.seconds_left(identity)
        try:
            async with asyncio.timeout(left) as timeout:
                self._lasting[timeout] = identity
                try:
                    yield
                finally:
                    self._lasting.pop(timeout, None)
        except TimeoutError:
            if timeout.expired():
                raise unauthenticated() from None
            raise


def _shown(metadata: Iterable[tuple[str, str | bytes]] | None) -> str | bytes | None:
    """The last `authorization` of a call's metadata."""
    shown = None
    for key, value in metadata or ():
        if key == AUTHORIZATION:
            shown = value
    return shown


async def _checked(requests: AsyncIterator[Any], identity: Identity, rule: Rule, asked: _Asked) -> AsyncIterator[Any]:
    seen: str | None = None
    async for request in requests:
        if not isinstance(request, Undecodable):
            seen = rule.check(identity, request, seen, asked.hidden)
        yield request
