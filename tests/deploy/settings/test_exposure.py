"""Who can reach a server: what is refused, and what a person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fleetlog_deploy.exposure import check_exposure, metrics_tls_files, numbers_are_open, tls_files
from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import MetricsSettings, ServerSettings, Settings

SECURE = ServerSettings(certificate_file="tls.crt", key_file="tls.key")


def told(server: ServerSettings, *, authenticates: bool) -> str:
    return check_exposure(Settings(server=server), authenticates=authenticates)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_on_this_machine_nothing_is_asked_for(host: str) -> None:
    assert told(ServerSettings(host=host), authenticates=False) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com"])
def test_beyond_it_a_server_wants_authentication_and_tls(host: str) -> None:
    plain = ServerSettings(host=host)
    secure = replace(plain, certificate_file="tls.crt", key_file="tls.key")
    for authenticates, server, wanted in (
        (False, plain, "who may do what"), (False, secure, "who may do what"), (True, plain, "wants TLS"),
    ):  # fmt: skip
        with pytest.raises(SettingsRefused, match=wanted):
            told(server, authenticates=authenticates)
    assert told(secure, authenticates=True) == ""
    assert "has a certificate" in told(replace(secure, client_ca_file="ca.pem"), authenticates=False)


def test_insecure_says_what_it_means() -> None:
    server = ServerSettings(host="0.0.0.0", insecure=True)
    assert told(server, authenticates=False) == "can read and write everything"
    assert "can read tokens" in told(server, authenticates=True)


@pytest.mark.parametrize(
    ("metrics", "is_open"),
    [
        (MetricsSettings("0.0.0.0", 9464), True),
        (MetricsSettings("0.0.0.0", 9464, "tls.crt", "tls.key"), False),
        (MetricsSettings("127.0.0.1", 9464), False),
        (MetricsSettings("0.0.0.0", None), False),
    ],
)
def test_numbers_without_tls_beyond_this_machine_are_told_of_where_calls_have_it(
    metrics: MetricsSettings, is_open: bool
) -> None:
    assert numbers_are_open(Settings(server=SECURE, metrics=metrics)) is is_open
    assert not numbers_are_open(Settings(metrics=metrics))


def test_half_of_the_files_is_refused() -> None:
    for metrics in (MetricsSettings(key_file="x"), MetricsSettings(certificate_file="x")):
        with pytest.raises(SettingsRefused, match=r"metrics\."):
            metrics_tls_files(metrics)
    for server in (
        ServerSettings(key_file="x"), ServerSettings(certificate_file="x"), ServerSettings(client_ca_file="x"),
    ):  # fmt: skip
        with pytest.raises(SettingsRefused):
            tls_files(server)
    assert tls_files(ServerSettings()) is None
