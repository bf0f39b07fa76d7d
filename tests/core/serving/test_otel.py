"""Spans as OpenTelemetry's own exporter gets them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import Future

import numpy as np
import pytest
from fleetlog_core.errors import NotFound
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, LogUnavailable, Record
from fleetlog_core.serving.measured import MeasuredWarehouse
from fleetlog_core.serving.otel import OtelTraces
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.serving.traced_log import TracedLog
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Statement, WarehouseRefused
from fleetlog_proto.v1 import ingest_pb2
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.core.serving.servers import INGEST, QUERY, served
from tests.core.serving.test_calls import answers, reached
from tests.core.serving.test_measured import Answering

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STATEMENT = Statement("SELECT 'a secret'")


class Spans:
    """The traces of a test, and what came of them."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = OtelTraces(provider, provider.shutdown)

    @property
    def ended(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def one(self, name: str) -> ReadableSpan:
        return self.ended[name]

    def attributes(self, name: str) -> dict[str, object]:
        return dict(self.one(name).attributes or {})


@pytest.fixture
def spans() -> Spans:
    return Spans()


def test_a_call_goes_on_with_its_callers_trace_and_its_statements_are_part_of_it(spans: Spans) -> None:
    async def scenario() -> None:
        telemetry = Telemetry(spans.traces)
        warehouse = MeasuredWarehouse(Answering(), telemetry)
        threads = ContextThreads(1)

        async def behave() -> None:
            await asyncio.get_running_loop().run_in_executor(
                threads, lambda: warehouse.select(STATEMENT, timeout_seconds=7.0)
            )

        async with served(behave, telemetry) as server:
            await server.unary(b"", metadata=(("traceparent", CALLER),))
            await reached(lambda: f"{QUERY}/GetRun" in spans.ended)
        threads.shutdown()

    asyncio.run(scenario())
    call, select = spans.one(f"{QUERY}/GetRun"), spans.one("warehouse select")
    assert call.parent is not None
    assert (f"{call.context.trace_id:032x}", f"{call.parent.span_id:016x}") == tuple(CALLER.split("-")[1:3])
    assert spans.attributes(call.name) == {
        "rpc.system": "grpc", "rpc.service": QUERY, "rpc.method": "GetRun", "rpc.grpc.status": "OK",
    }  # fmt: skip
    assert select.parent is not None
    assert (select.context.trace_id, select.parent.span_id) == (call.context.trace_id, call.context.span_id)
    assert spans.attributes(select.name)["fleetlog.rows_read"] == 1_000
    assert "secret" not in call.to_json() + select.to_json()


def test_a_call_that_failed_says_why_by_its_reason_alone(spans: Spans) -> None:
    async def behave() -> None:
        raise NotFound("RUN_NOT_FOUND", "there is no run 'a secret'")

    async def scenario() -> None:
        async with served(behave, Telemetry(spans.traces)) as server:
            await asyncio.gather(server.unary(b""), return_exceptions=True)
            await reached(lambda: f"{QUERY}/GetRun" in spans.ended)

    asyncio.run(scenario())
    call = spans.one(f"{QUERY}/GetRun")
    assert call.status.status_code is StatusCode.ERROR
    told = spans.attributes(call.name)
    assert (told["error.type"], told["rpc.grpc.status"]) == ("RUN_NOT_FOUND", "NOT_FOUND")
    assert "secret" not in call.to_json()


def test_appends_of_a_stream_are_traces_of_their_own_with_the_place_in_the_log(spans: Spans) -> None:
    async def scenario() -> None:
        log = TracedLog(MemoryLog(), spans.traces)

        async def behave() -> None:
            await asyncio.wrap_future(log.append(EVENTS, b"run", b"frame"))

        async with served(behave, Telemetry(spans.traces)) as server:
            stream = server.channel.stream_stream(
                f"/{INGEST}/AppendEvents",
                request_serializer=ingest_pb2.AppendEventsRequest.SerializeToString,
                response_deserializer=ingest_pb2.AppendEventsResponse.FromString,
            )
            await answers(stream(iter([ingest_pb2.AppendEventsRequest()])))
            await reached(lambda: f"{INGEST}/AppendEvents" in spans.ended)
        log.close()

    asyncio.run(scenario())
    call, append = spans.one(f"{INGEST}/AppendEvents"), spans.one("log append")
    assert append.parent is None
    assert [link.context.span_id for link in append.links] == [call.context.span_id]
    assert spans.attributes(append.name) == {
        "fleetlog.topic": EVENTS, "fleetlog.bytes": 5, "fleetlog.partition": 0, "fleetlog.offset": 0,
    }  # fmt: skip


class Failing(MemoryLog):
    """Takes nothing."""

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        failed: Future[Record] = Future()
        failed.set_exception(LogUnavailable("broker 10.1.2.3 is away"))
        return failed


def test_an_append_that_is_not_durable_is_a_failure(spans: Spans) -> None:
    with spans.traces.root("test", {}):
        appended = TracedLog(Failing(), spans.traces).append(EVENTS, b"run", b"frame")
    with pytest.raises(LogUnavailable):
        appended.result()
    append = spans.one("log append")
    assert append.status.status_code is StatusCode.ERROR
    assert spans.attributes(append.name)["error.type"] == "LogUnavailable"
    assert "10.1.2.3" not in append.to_json()


def test_statements_of_a_batch_are_its_parts_and_those_of_nobody_are_not_told(spans: Spans) -> None:
    telemetry = Telemetry(spans.traces)
    warehouse = MeasuredWarehouse(Answering(), telemetry)
    warehouse.select(STATEMENT, timeout_seconds=7.0)
    assert spans.ended == {}
    with spans.traces.root("materialize", {"fleetlog.first_offset": 7}) as batch:
        warehouse.insert("points", {"step": np.zeros(3, np.int64)}, "token")
        batch.tell({"fleetlog.points": 3})
    whole, insert = spans.one("materialize"), spans.one("warehouse insert")
    assert insert.parent is not None
    assert insert.parent.span_id == whole.context.span_id
    assert spans.attributes(insert.name) == {
        "db.system.name": "clickhouse", "db.operation.name": "insert", "db.collection.name": "points",
        "fleetlog.rows": 3,
    }  # fmt: skip
    assert spans.attributes(whole.name) == {"fleetlog.first_offset": 7, "fleetlog.points": 3}


def test_a_batch_that_failed_says_so_for_itself_and_its_statement(spans: Spans) -> None:
    warehouse = MeasuredWarehouse(Answering(WarehouseRefused("a secret")), Telemetry(spans.traces))
    with pytest.raises(WarehouseRefused), spans.traces.root("materialize", {}):
        warehouse.insert("points", {"step": np.zeros(1, np.int64)}, "token")
    for name in ("materialize", "warehouse insert"):
        assert spans.attributes(name)["error.type"] == "WarehouseRefused"
        assert "secret" not in spans.one(name).to_json()


def test_probes_of_health_are_no_calls(spans: Spans) -> None:
    async def scenario() -> None:
        async with served(telemetry=Telemetry(spans.traces)) as server:
            await server.unary(b"", "/grpc.health.v1.Health/Check")

    asyncio.run(scenario())
    assert spans.ended == {}


def test_who_wants_no_traces_imports_nothing_for_them() -> None:
    imported = "import sys, fleetlog, fleetlog_deploy.embedded, fleetlog_deploy.serve"
    code = f"{imported}; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
