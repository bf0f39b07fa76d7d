"""`fleetlog serve`: what it refuses, when it is ready, and how it goes."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import fleetlog as client
import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from tests.core.proxy import Proxy
from tests.deploy.cluster import cluster
from tests.deploy.processes import Up, fleetlog
from tests.deploy.watching import NOT_SERVING, SERVING, get, health
from tests.ports import free_port
from tests.waiting import reached

ALONE = {"FLEETLOG_LOG_URL": "sqlite:/x", "FLEETLOG_WAREHOUSE_URL": "chdb:/y", "FLEETLOG_OBJECTS_URL": "folder:/z"}


def services(server: Up) -> set[str]:
    with grpc.insecure_channel(server.target) as channel:
        ask = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=10)
        return {service.name for service in answer.list_services_response.service}


def test_settings_that_do_not_make_a_service_are_told_together() -> None:
    nothing, alone, typo = fleetlog(
        ("serve", "gateway", "query"), ("serve", "gtaeway"), ("serve", "query", "--port", "70000")
    )
    assert (nothing.code, nothing.out) == (2, "")
    assert [line.split(" ")[1] for line in nothing.err.splitlines()] == [
        "log.url", "warehouse.url", "objects.url", "query.token_key",
    ]  # fmt: skip
    assert "set FLEETLOG_LOG_URL, or `url` under [log] in the file of --config" in nothing.err
    assert "kafka://host:port,host:port/prefix" in nothing.err
    assert (alone.code, typo.code) == (2, 2)
    (refused,) = fleetlog(("serve", "gateway"), environment=ALONE)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[0].startswith('fleetlog: log.url = "sqlite:/x": one process has it to itself')
    assert "`fleetlog up`" in refused.err


def test_engines_that_are_wrong_or_away(kafka_server: str, clickhouse_server: str) -> None:
    nowhere = free_port()
    working = {
        "FLEETLOG_LOG_URL": f"kafka://{kafka_server}/there-are-no-topics",
        "FLEETLOG_WAREHOUSE_URL": clickhouse_server,
        "FLEETLOG_OBJECTS_URL": "http://key:hidden@127.0.0.1:1/bucket",
        "FLEETLOG_SERVER_PORT": "0",
    }
    cases: list[tuple[str, dict[str, str], int, str]] = [
        ("gateway", {}, 1, "`fleetlog topics create` makes the topics of a log"),
        ("gateway", {"FLEETLOG_LOG_URL": "kafka://one/prefix"}, 2, 'log.url = "kafka://one/prefix"'),
        ("gateway", {"FLEETLOG_KAFKA_PROTOCOL": "SASL_SSL"}, 2, "SASL_SSL needs mechanism, username and password"),
        ("gateway", {"FLEETLOG_OBJECTS_URL": "http://k:hidden@h/UPPER"}, 2, "bucket: 'UPPER' is not"),
        ("materializer", {"FLEETLOG_WAREHOUSE_URL": "clickhouse://u:hidden@h/a-b"}, 2, "database: 'a-b' is not"),
        ("materializer", {"FLEETLOG_WAREHOUSE_URL": f"clickhouse://127.0.0.1:{nowhere}/x"}, 1, "fleetlog: "),
    ]
    for name, said, code, words in cases:
        (ended,) = fleetlog(("serve", name), environment={**working, **said})
        assert ended.code == code, ended.err
        told = [line for line in ended.err.splitlines() if line.startswith("fleetlog: ")]
        assert len(told) == 1, ended.err
        assert words in told[0]
        assert "hidden" not in ended.err
        assert "Traceback" not in ended.err


@pytest.mark.timeout(240)
def test_ready_is_when_it_can_do_its_job(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, partitions=1) as own:
        address = urlsplit(own.warehouse_url)
        proxy = own.stack.enter_context(Proxy(address.hostname or "", address.port or 0))
        own.environment["FLEETLOG_WAREHOUSE_URL"] = own.warehouse_url.replace(
            f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}"
        )
        front = own.serve("gateway", "query")
        ingest, query = "fleetlog.v1.IngestService", "fleetlog.v1.QueryService"
        registry, models = "fleetlog.v1.RegistryService", "fleetlog.v1.RegistryQueryService"
        assert services(front) >= {ingest, query, registry, models, "grpc.health.v1.Health"}
        assert get(front, "healthz") == (200, "ok\n")
        assert get(front, "readyz")[0] == 503
        assert "does not exist" in get(front, "readyz")[1]
        assert (health(front), health(front, ingest), health(front, query)) == (SERVING, SERVING, NOT_SERVING)
        assert (health(front, registry), health(front, models)) == (SERVING, NOT_SERVING)
        folding = own.serve("materializer")
        reached(lambda: health(front, query) == SERVING)
        reached(lambda: get(front, "readyz")[0] == 200)
        assert "fleetlog.v1.Materializer" in services(folding)

        proxy.stall()
        reached(lambda: "the warehouse does not answer" in get(front, "readyz")[1])
        reached(lambda: health(folding, "fleetlog.v1.Materializer") == NOT_SERVING)
        assert (health(front), health(front, ingest), health(front, query)) == (SERVING, SERVING, NOT_SERVING)
        assert get(front, "healthz")[0] == 200
        # What is new is durable all the same.
        run = client.start_run(target=front.target, experiment="Default")
        proxy.resume()
        proxy.cut()
        reached(lambda: get(front, "readyz")[0] == 200 and get(folding, "readyz")[0] == 200)
        run.log({"x": 1.0}, step=1)
        run.finish(timeout=60)
        reader = client.Client(front.target)
        reached(lambda: reader.get_run(run.id).state == "FINISHED")
        assert (folding.stop(signal.SIGTERM), front.stop(signal.SIGTERM)) == (0, 0)


@pytest.mark.timeout(240)
def test_a_gateway_that_goes_with_streams_open_has_made_durable_what_it_acknowledged(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, partitions=2) as own:
        port = str(free_port())
        folding = own.serve("materializer")
        front = own.serve("gateway", "query", "--port", port)
        runs = [client.start_run("going", f"run {number}", target=front.target) for number in range(8)]
        ended = threading.Event()
        steps = [0] * len(runs)

        def write(number: int) -> None:
            while not ended.is_set():
                runs[number].log({"x": float(steps[number])}, step=steps[number])
                steps[number] += 1
                ended.wait(0.001)

        writing = [threading.Thread(target=write, args=(number,)) for number in range(len(runs))]
        for thread in writing:
            thread.start()
        try:
            for _ in range(2):
                before = list(steps)
                reached(lambda before=before: all(now > then + 200 for now, then in zip(steps, before, strict=True)))  # type: ignore[misc]
                begun = time.monotonic()
                assert front.stop(signal.SIGTERM) == 0
                assert time.monotonic() - begun < 25, "open streams are no reason to stay"
                front = own.serve("gateway", "query", "--port", port)
        finally:
            ended.set()
            for thread in writing:
                thread.join()
        for run in runs:
            run.finish(timeout=60)
        reader = client.Client(front.target)
        for number, run in enumerate(runs):
            reached(lambda run=run: reader.get_run(run.id).state == "FINISHED")  # type: ignore[misc]
            assert reader.read_metric(run.id, "x").steps.tolist() == list(range(steps[number]))
        assert (folding.stop(signal.SIGINT), front.stop(signal.SIGINT)) == (0, 0)
