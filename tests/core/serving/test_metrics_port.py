from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from fleetlog_core.serving.metrics_port import MetricsPort
from fleetlog_core.serving.server import PortTaken
from fleetlog_core.serving.telemetry import Telemetry

from tests.core.serving.certificates import Authority
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


def test_tls_with_a_certificate_that_is_read_again_and_without_it_for_nobody(
    telemetry: Telemetry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority.made(tmp_path)
    port = MetricsPort("127.0.0.1", 0, telemetry, str, tls=authority.issue("localhost"))
    number = port.start()
    trusting = ssl.create_default_context(cafile=authority.ca_file)

    def names() -> set[str]:
        with (
            socket.create_connection(("127.0.0.1", number), timeout=10) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as shown,
        ):
            certificate = x509.load_der_x509_certificate(shown.getpeercert(binary_form=True) or b"")
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(named.get_values_for_type(x509.DNSName))

    try:
        with urllib.request.urlopen(f"https://localhost:{number}/healthz", timeout=10, context=trusting) as answer:
            assert (answer.status, answer.read()) == (200, b"ok\n")
        assert names() == {"localhost"}
        authority.issue("localhost", "later.example.com")
        assert names() == {"localhost", "later.example.com"}
        with pytest.raises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
            get(f"http://localhost:{number}/metrics")
        # One that says nothing holds up nobody.
        with socket.create_connection(("127.0.0.1", number), timeout=10):
            assert names() == {"localhost", "later.example.com"}
    finally:
        port.stop()
    assert caplog.messages == []


def test_ipv6(telemetry: Telemetry) -> None:
    port = MetricsPort("::1", 0, telemetry, str)
    number = port.start()
    assert get(f"http://[::1]:{number}/healthz")[0] == 200
    port.stop()
