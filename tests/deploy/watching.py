"""Waiting for what servers come to, and what they tell of themselves."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from tests.core.serving.numbers import numbers
from tests.deploy.processes import Up


def reached(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not reached"
        time.sleep(0.02)


def get(server: Up, path: str) -> tuple[int, str]:
    """What a server's HTTP port answers."""
    try:
        with urllib.request.urlopen(f"http://{server.ready['metrics']}/{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


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
