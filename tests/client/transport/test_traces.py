"""A program's trace goes along with its calls."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import fleetlog
import pytest
from fleetlog._transport.traces import trace_metadata
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import TracerProvider

from tests.client.processes import environment

TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("a program")


class Ours(TextMapPropagator):
    """A propagator as a program may have one of its own."""

    def __init__(self, headers: dict[str, str] | None) -> None:
        self._headers = headers

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        return context or Context()

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        if self._headers is None:
            raise RuntimeError("it is broken")
        for name, value in self._headers.items():
            setter.set(carrier, name, value)

    @property
    def fields(self) -> set[str]:
        return set(self._headers or {})


@pytest.fixture
def _restored() -> Iterator[None]:
    before = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(before)


def test_the_trace_that_is_under_way_and_none_without_one() -> None:
    assert trace_metadata() is None
    with TRACER.start_as_current_span("work") as span:
        told = dict(trace_metadata() or ())
    assert told["traceparent"].split("-")[1] == f"{span.get_span_context().trace_id:032x}"


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize(
    ("headers", "told"),
    [({"X-B3-TraceId": "1", "x-team": "é"}, (("x-b3-traceid", "1"),)), (None, None)],
)
def test_calls_go_on_whatever_a_propagator_does(
    embedded_target: str, headers: dict[str, str] | None, told: tuple[tuple[str, str], ...] | None
) -> None:
    propagate.set_global_textmap(Ours(headers))
    assert trace_metadata() == told
    assert fleetlog.Client(embedded_target).experiments()


def test_a_program_without_traces_imports_nothing_for_them() -> None:
    code = "import sys, fleetlog; fleetlog.Client(); sys.exit('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment("localhost:1"))
    assert done.returncode == 0
