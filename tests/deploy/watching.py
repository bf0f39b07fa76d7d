"""Waiting for what servers come to, and what they tell of themselves."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.core.serving.numbers import numbers
from tests.deploy.processes import Up
from tests.waiting import reached


def get(server: Up, path: str) -> tuple[int, str]:
    """What a server's HTTP port answers. Certificates are not looked at."""
    address, trusting = str(server.ready["metrics"]), ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    url = address if address.startswith("https://") else f"http://{address}"
    try:
        with urllib.request.urlopen(f"{url}/{path}", timeout=10, context=trusting) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def health(server: Up, service: str = "") -> int:
    """What a server's health service says of a service of its."""
    with grpc.insecure_channel(server.target) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=10).status)  # type: ignore[attr-defined]


def ready(*servers: Up) -> None:
    """Wait until all of them can do their job."""
    for server in servers:
        reached(lambda server=server: get(server, "readyz")[0] == 200)  # type: ignore[misc]


def told(server: Up) -> dict[tuple[str, ...], float]:
    """A server's telemetry."""
    return numbers(get(server, "metrics")[1].encode())


def partitions(server: Up) -> set[str]:
    """What a materializer says it has."""
    return {key[1] for key in told(server) if key[0] == "fleetlog_lag"}
