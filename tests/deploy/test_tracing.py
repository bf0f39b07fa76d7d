"""Traces from a program through the server to a collector."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core.serving.traces import NoTraces
from fleetlog_deploy.settings.model import Settings, TelemetrySettings
from fleetlog_deploy.tracing import traces_of
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.trace import TracerProvider

from tests.deploy.processes import WITHOUT_OTEL, running
from tests.deploy.processes import fleetlog as command
from tests.ports import free_port


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._spans: list[trace_pb2.Span] = []
        self.services: set[str] = set()

    def Export(  # noqa: N802
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        with self._changed:
            for told in request.resource_spans:
                self.services |= {
                    one.value.string_value for one in told.resource.attributes if one.key == "service.name"
                }
                self._spans += [span for scope in told.scope_spans for span in scope.spans]
            self._changed.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self, *names: str) -> Sequence[trace_pb2.Span]:
        """All of them, once there is one of each name."""
        with self._changed:
            assert self._changed.wait_for(lambda: set(names) <= {span.name for span in self._spans}, 30)
            return list(self._spans)


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """A collector, and its endpoint."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def number(span: trace_pb2.Span, name: str) -> int:
    return next(one.value.int_value for one in span.attributes if one.key == name)


def test_a_programs_trace_reaches_the_warehouse_and_frames_are_found_in_batches(tmp_path: Path) -> None:
    program = TracerProvider(shutdown_on_exit=False).get_tracer("a program")
    with (
        collecting() as (collector, endpoint),
        running(
            "up", "--data", str(tmp_path), "--port", "0",
            environment={"FLEETLOG_TELEMETRY_TRACES_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"},
        ) as server,
    ):  # fmt: skip
        with fleetlog.start_run("traced", target=server.target) as run:
            run.log({"x": 1.0}, step=1)
        fleetlog.flush(level="applied", target=server.target)
        with program.start_as_current_span("look for the best") as span:
            client = fleetlog.Client(server.target)
            found = [*client.search_runs(experiments=["traced"]), *client.stream_runs(experiments=["traced"])]
            assert len(client.read_metric(run.id, "x")) == 1
            changes = client.watch_runs(experiments=["traced"])
            assert len(next(changes).runs) == 1
            del changes
        assert [one.id for one in found] == [run.id] * 2
        calls = {f"fleetlog.v1.QueryService/{name}" for name in ("SearchRuns", "StreamRuns", "ReadMetric", "WatchRuns")}
        spans = collector.spans(*calls, "log append", "materialize")
    mine = {one.name for one in spans if one.trace_id == span.get_span_context().trace_id.to_bytes(16)}
    assert mine == {*calls, "warehouse select"}
    appended = [one for one in spans if one.name == "log append" and number(one, "fleetlog.bytes") > 0]
    batches = [one for one in spans if one.name == "materialize"]
    assert appended
    for one in appended:
        assert any(
            number(batch, "fleetlog.first_offset")
            <= number(one, "fleetlog.offset")
            <= number(batch, "fleetlog.last_offset")
            for batch in batches
        )
    assert collector.services == {"fleetlog-up"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4317"},
    ],
)
def test_no_traces_unless_an_endpoint_is_named(environment: dict[str, str]) -> None:
    assert isinstance(traces_of(Settings(), "up", environment), NoTraces)


def test_the_standard_variable_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as (collector, endpoint):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
        traces = traces_of(Settings(), "query")
        with traces.root("materialize", {}):
            pass
        traces.close()
        assert [span.name for span in collector.spans("materialize")] == ["materialize"]
        assert collector.services == {"ours"}


def test_a_collector_that_is_away_holds_nobody_up() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    traces = traces_of(Settings(telemetry=TelemetrySettings(traces_endpoint=endpoint)), "gateway")
    begun = time.monotonic()
    for _ in range(10_000):
        with traces.root("materialize", {}):
            pass
    assert time.monotonic() - begun < 60
    traces.close()
    assert time.monotonic() - begun < 60


def test_an_endpoint_without_the_packages_is_refused_with_the_mend(tmp_path: Path) -> None:
    (ended,) = command(
        ("up", "--data", tmp_path),
        command=WITHOUT_OTEL,
        environment={"FLEETLOG_TELEMETRY_TRACES_ENDPOINT": "http://127.0.0.1:4317"},
    )
    assert ended.code == 2
    assert "telemetry.traces_endpoint" in ended.err
    assert "pip install 'fleetlog[traces]'" in ended.err
