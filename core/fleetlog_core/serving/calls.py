"""How the calls of one rpc go, counted and told to the traces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from fleetlog_core.auth.identity import caller
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traces import NO_SPAN, Span

Context = grpc.aio.ServicerContext[Any, Any]
_NAMES: dict[object, str] = {code.value[0]: code.name for code in grpc.StatusCode} | {
    code: code.name for code in grpc.StatusCode
}

_LASTING = ("AppendEvents", "WatchRuns")
"""For as long as a training or a person likes: too long for one trace."""


def client_of(context: Context) -> str:
    """Whoever calls, however many connections it has; where nobody is asked who they are, the connection."""
    return caller().principal or context.peer()


class Calls:
    """Telemetry of one rpc: `method` is its full name, as in "/fleetlog.v1.QueryService/GetRun"."""

    def __init__(self, telemetry: Telemetry, method: str) -> None:
        self._telemetry = telemetry
        service, _, name = method.removeprefix("/").partition("/")
        self._rpc = f"{service.rpartition('.')[2]}/{name}"
        # Probes of health would be most of all traces.
        self._traced = f"{service}/{name}" if service.startswith("fleetlog.") else ""
        self._lasting = name in _LASTING

    @contextmanager
    def counted(self, context: Context) -> Iterator[Span]:
        """Around one call, whatever its end."""
        begun, status = time.monotonic(), "OK"
        self._telemetry.rpcs_open.labels(self._rpc).inc()
        span: Span = NO_SPAN
        if self._traced:
            span = self._telemetry.traces.call(self._traced, context.invocation_metadata() or (), lasting=self._lasting)
        try:
            yield span
        except (asyncio.CancelledError, GeneratorExit):
            # Both when the caller goes away and when its time runs out.
            remaining = context.time_remaining()
            status = "CANCELLED" if remaining is None or remaining > 0 else "DEADLINE_EXCEEDED"
            raise
        except BaseException:
            status = _NAMES.get(context.code(), "UNKNOWN")
            raise
        finally:
            self._telemetry.rpcs_open.labels(self._rpc).dec()
            self._telemetry.rpc_seconds.labels(self._rpc, status).observe(time.monotonic() - begun)
            span.tell({"rpc.grpc.status": status})
            span.end()

    def failed(self, reason: str, span: Span) -> None:
        """A call ended with an error; `reason` is the ErrorInfo's."""
        span.fail(reason)
        self._telemetry.rpc_failures.labels(self._rpc, reason).inc()
