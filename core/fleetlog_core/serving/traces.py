"""Traces: what a call, a frame or a batch went through. Who wants none pays nothing.

Words
-----
span       work with a begin, an end, attributes and an outcome; `within` the span that is current where it begins.
current    follows the flow of a call: through `await`, through tasks that it makes, and through ContextThreads.

Attributes are names, counts and places. Never values, filters or statements: traces go where other people read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Any, Protocol

from fleetlog_core.serving.fair_threads import FairThreads

Attributes = Mapping[str, str | int]
Metadata = Iterable[tuple[str, str | bytes]]


class Span(Protocol):
    """Work under way. From any thread."""

    def tell(self, attributes: Attributes) -> None:
        """More about it."""
        ...

    def fail(self, reason: str) -> None:
        """It did not do what it was to do; `reason` is a stable name, and no text that may hold values."""
        ...

    def end(self) -> None:
        """Its end is now."""
        ...


class Traces(Protocol):
    """Where spans go."""

    def call(self, rpc: str, metadata: Metadata, *, lasting: bool) -> Span:
        """A call to us, with the caller's trace in its metadata. Current in the task of the call until that ends.

        `lasting`: it may stream for hours, so what happens within is linked to it and not part of its trace.
        """
        ...

    def root(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Work that nobody called for: a trace of its own. An exception is its failure, by the name of its class."""
        ...

    def inner(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """A part of what is current; nothing when nothing is. An exception is its failure."""
        ...

    def begin(self, name: str, attributes: Attributes) -> Span:
        """As `inner`, until its `end`; never current."""
        ...

    def close(self) -> None:
        """Send what waits, for some seconds at the most. Idempotent."""
        ...


class NoSpan:
    """See Span: nothing."""

    def tell(self, attributes: Attributes) -> None:
        """See Span."""

    def fail(self, reason: str) -> None:
        """See Span."""

    def end(self) -> None:
        """See Span."""


NO_SPAN = NoSpan()
_NOTHING: AbstractContextManager[Span] = nullcontext(NO_SPAN)


class NoTraces:
    """See Traces: none."""

    def call(self, rpc: str, metadata: Metadata, *, lasting: bool) -> Span:
        """See Traces."""
        return NO_SPAN

    def root(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """See Traces."""
        return _NOTHING

    def inner(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """See Traces."""
        return _NOTHING

    def begin(self, name: str, attributes: Attributes) -> Span:
        """See Traces."""
        return NO_SPAN

    def close(self) -> None:
        """See Traces."""


class ContextThreads(FairThreads):
    """Threads that work in the context of whoever asks them to, fair between callers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
