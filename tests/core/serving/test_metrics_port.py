from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from fleetlog_core.serving.metrics_port import MetricsPort
from fleetlog_core.serving.server import PortTaken
from fleetlog_core.serving.telemetry import Telemetry

from tests.core.serving.numbers import numbers


@pytest.fixture
def reasons() -> list[str]:
    """Why the process is not ready; empty: it is."""
    return []


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def base(telemetry: Telemetry, reasons: list[str]) -> Iterator[str]:
    port = MetricsPort("127.0.0.1", 0, telemetry, lambda: "; ".join(reasons))
    yield f"http://127.0.0.1:{port.start()}"
    port.stop()
    port.stop()


def get(url: str, method: str = "GET") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_numbers_of_the_process_and_no_others(base: str, telemetry: Telemetry) -> None:
    telemetry.refused.labels("KEY_EMPTY").inc(3)
    status, told = get(f"{base}/metrics")
    assert status == 200
    assert numbers(told)["fleetlog_refused_total", "KEY_EMPTY"] == 3
    assert all(name.startswith("fleetlog_") for name, *_ in numbers(told))


def test_alive_is_not_ready(base: str, reasons: list[str]) -> None:
    assert get(f"{base}/readyz") == (200, b"ok\n")
    reasons.append("the warehouse does not answer")
    assert get(f"{base}/readyz") == (503, b"the warehouse does not answer\n")
    assert get(f"{base}/healthz") == (200, b"ok\n")
    assert get(f"{base}/healthz", "HEAD") == (200, b"")


def test_other_paths_and_methods_are_refused(base: str) -> None:
    assert get(f"{base}/")[0] == 404
    assert get(f"{base}/../etc/passwd")[0] == 404
    assert get(f"{base}/readyz", "POST")[0] == 405


def test_a_port_that_is_taken_is_told_with_its_option(telemetry: Telemetry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{number} is taken: give another --metrics-port"):
            MetricsPort("127.0.0.1", number, telemetry, str).start()


def test_ipv6(telemetry: Telemetry) -> None:
    port = MetricsPort("::1", 0, telemetry, str)
    number = port.start()
    assert get(f"http://[::1]:{number}/healthz")[0] == 200
    port.stop()
