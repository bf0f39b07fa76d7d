"""Traces of OpenTelemetry. The one place that knows its interface; `fleetlog[traces]` installs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.context import Context

from fleetlog_core.serving.traces import NO_SPAN, Attributes, Metadata, Span

_LASTING = contexts.create_key("fleetlog-lasting")
"""In a context: the call that lasts, whose spans are linked to it."""


class OtelSpan:
    """See Span."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span

    def tell(self, attributes: Attributes) -> None:
        """See Span."""
        self.span.set_attributes(dict(attributes))

    def fail(self, reason: str) -> None:
        """See Span."""
        self.span.set_attribute("error.type", reason)
        self.span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        """See Span."""
        self.span.end()


class OtelTraces:
    """See Traces. `close` ends the provider."""

    def __init__(self, provider: trace.TracerProvider, close: Callable[[], None]) -> None:
        self._tracer = provider.get_tracer("fleetlog")
        self._close = close

    def call(self, rpc: str, metadata: Metadata, *, lasting: bool) -> Span:
        """See Traces."""
        service, _, method = rpc.partition("/")
        span = self._tracer.start_span(
            rpc,
            propagate.extract({key: value for key, value in metadata if isinstance(value, str)}, Context()),
            trace.SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
        )
        # Each call is a task, with a context of its own: it ends with the task, so nothing is to be detached.
        if lasting:
            contexts.attach(contexts.set_value(_LASTING, span.get_span_context(), Context()))
        else:
            contexts.attach(trace.set_span_in_context(span))
        return OtelSpan(span)

    def root(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """See Traces."""
        return self._current(self._tracer.start_span(name, Context(), attributes=dict(attributes)))

    def inner(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """See Traces."""
        return self._current(self._within(name, attributes))

    def begin(self, name: str, attributes: Attributes) -> Span:
        """See Traces."""
        span = self._within(name, attributes)
        return NO_SPAN if span is None else OtelSpan(span)

    def close(self) -> None:
        """See Traces."""
        self._close()

    def _within(self, name: str, attributes: Attributes) -> trace.Span | None:
        lasting = contexts.get_value(_LASTING)
        if isinstance(lasting, trace.SpanContext):
            return self._tracer.start_span(name, attributes=dict(attributes), links=[trace.Link(lasting)])
        if not trace.get_current_span().get_span_context().is_valid:
            return None
        return self._tracer.start_span(name, attributes=dict(attributes))

    @contextmanager
    def _current(self, span: trace.Span | None) -> Iterator[Span]:
        if span is None:
            yield NO_SPAN
            return
        told = OtelSpan(span)
        token = contexts.attach(trace.set_span_in_context(span, Context()))
        try:
            yield told
        except BaseException as error:
            told.fail(type(error).__name__)
            raise
        finally:
            contexts.detach(token)
            span.end()
