"""The interceptor that holds callers and namespaces to their limits. Stands behind the one that knows callers.

A call over a limit is refused, RESOURCE_EXHAUSTED with RetryInfo. What writes is slowed: a message is taken when what
was written before is paid for, each in its turn, which the client of a stream feels as back-pressure; where that takes
longer than a client waits for an answer it is refused, and its RetryInfo says when to come back.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from fleetlog_core.auth.identity import caller
from fleetlog_core.auth.permissions import Rule
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.rates.cost import cost_of
from fleetlog_core.rates.limiter import Lease, Limiter, Payer, set_payer
from fleetlog_core.rates.limits import Lasting
from fleetlog_core.serving.calls import Context
from fleetlog_core.serving.errors import Undecodable
from fleetlog_core.serving.handlers import Behaviour, wrapped
from fleetlog_core.serving.telemetry import Telemetry

MOST_WAIT_SECONDS = 15.0
"""The longest that a message is kept waiting: its client takes 20 s of silence for a broken connection."""
READS = "QueryService"
"""End of the names of services that read; all others write."""
WATCH = "Watch"
"""Begin of the names of calls that are open as long as a person looks."""


class LimitsInterceptor(grpc.aio.ServerInterceptor):
    """Stands behind the interceptor of errors, which tells what this one raises. For one event loop."""

    def __init__(self, limiter: Limiter, telemetry: Telemetry) -> None:
        self._limiter = limiter
        self._telemetry = telemetry
        self._rules: dict[str, Rule] = {}

    def put_rules(self, rules: dict[str, Rule]) -> None:
        """Where each call's namespaces stand, by its full name, before any is served."""
        self._rules = rules

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        rule = self._rules.get(method)
        if handler is None or rule is None or rule.permission is None:
            return handler
        service, _, name = method.rpartition("/")
        one = _Limited(
            self._limiter, self._telemetry, rule, service.endswith(READS),
            Lasting.WATCHES if name.startswith(WATCH) else Lasting.STREAMS,
        )  # fmt: skip
        return wrapped(
            handler, unary_unary=one.single, unary_stream=one.answered, stream_unary=one.collected,
            stream_stream=one.streamed,
        )  # fmt: skip


class _Limited:
    """The calls of one method."""

    def __init__(self, limiter: Limiter, telemetry: Telemetry, rule: Rule, reads: bool, lasting: Lasting) -> None:
        self._limiter = limiter
        self._telemetry = telemetry
        self._rule = rule
        self._reads = reads
        self._lasting = lasting

    def single(self, behaviour: Behaviour) -> Behaviour:
        """One message in, one out."""

        async def handle(request: Any, context: Context) -> Any:
            payer = self._begin(context, request)
            if not self._reads and self._limiter.has_writes:
                await self._pay(payer, request, context)
            return await behaviour(request, context)

        return handle

    def answered(self, behaviour: Behaviour) -> Behaviour:
        """One message in, many out."""

        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:
            payer = self._begin(context, request)
            with self._lasts(payer):
                async for response in behaviour(request, context):
                    yield response

        return handle

    def collected(self, behaviour: Behaviour) -> Behaviour:
        """Many messages in, one out."""

        async def handle(requests: AsyncIterator[Any], context: Context) -> Any:
            payer = self._begin(context, None)
            with self._lasts(payer) as lease:
                return await behaviour(self._paced(requests, context, lease), context)

        return handle

    def streamed(self, behaviour: Behaviour) -> Behaviour:
        """Many messages in, many out."""

        async def handle(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            payer = self._begin(context, None)
            with self._lasts(payer) as lease:
                answers = behaviour(self._paced(requests, context, lease), context)
                if inspect.isawaitable(answers):
                    await answers
                    return
                async for response in answers:
                    yield response

        return handle

    def _begin(self, context: Context, request: Any) -> Payer:
        """Whoever pays, charged for the call. ResourceExhausted."""
        payer = self._limiter.payer(_name_of(context), self._namespaces(request))
        with self._counted():
            payer.begin(self._reads)
        set_payer(payer)
        return payer

    def _namespaces(self, request: Any) -> Iterable[str]:
        if request is None:
            return ()
        return [namespace for read in self._rule.namespaces for namespace in read(request)]

    async def _paced(self, requests: AsyncIterator[Any], context: Context, lease: Lease) -> AsyncIterator[Any]:
        name, before = _name_of(context), list[str]()
        async for request in requests:
            if isinstance(request, Undecodable):
                yield request
                continue
            # A message that names none is of those of the message before it.
            namespaces = list(self._namespaces(request)) or before
            payer = self._limiter.payer(name, namespaces)
            if namespaces != before:
                with self._counted():
                    lease.add(payer)
                before = namespaces
            if self._limiter.has_writes:
                await self._pay(payer, request, context)
            yield request

    async def _pay(self, payer: Payer, request: Any, context: Context) -> None:
        """Charge the message, and wait for its turn. ResourceExhausted, and nothing is charged."""
        seconds, error = payer.owed()
        if error is not None:
            self._telemetry.limited.labels(error.reason).inc()
            left = context.time_remaining()
            if seconds > MOST_WAIT_SECONDS or (left is not None and seconds >= left):
                raise error
        payer.spend(cost_of(request))
        if seconds:
            await asyncio.sleep(seconds)

    @contextmanager
    def _lasts(self, payer: Payer) -> Iterator[Lease]:
        lease = Lease(self._lasting)
        with self._counted():
            lease.add(payer)
        try:
            yield lease
        finally:
            lease.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except ResourceExhausted as error:
            self._telemetry.limited.labels(error.reason).inc()
            raise


def _name_of(context: Context) -> str:
    """The caller's principal; where nobody is asked, the address without its port."""
    return caller().principal or context.peer().rpartition(":")[0]
