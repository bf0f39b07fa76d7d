"""Who can reach a server, and whether that is meant: beyond loopback it takes TLS and authentication, or a word."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from fleetlog_core.serving.server import joined
from fleetlog_core.serving.tls import TlsFiles

from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import MetricsSettings, ServerSettings, Settings, WebSettings

INSECURE = "--insecure (server.insecure)"


def tls_files(server: ServerSettings) -> TlsFiles | None:
    """Files of the gRPC port's TLS; None = it has none. SettingsRefused for a half of them."""
    if not server.certificate_file and not server.key_file and server.client_ca_file:
        raise SettingsRefused(
            ["server.client_ca_file is set, and there is no TLS to ask clients in: set server.certificate_file too"]
        )
    return _pair("server", server.certificate_file, server.key_file, server.client_ca_file)


def web_tls_files(web: WebSettings) -> TlsFiles | None:
    """Files of the HTTP port's TLS; None = it has none. SettingsRefused for a half of them."""
    return _pair("web", web.certificate_file, web.key_file)


def metrics_tls_files(metrics: MetricsSettings) -> TlsFiles | None:
    """Files of the TLS of the port with /metrics; None = it has none. SettingsRefused for a half of them."""
    return _pair("metrics", metrics.certificate_file, metrics.key_file)


def address_of_numbers(metrics: MetricsSettings, port: int) -> str:
    """host:port where /metrics is, behind https:// where it has TLS."""
    address = joined(metrics.host, port)
    return f"https://{address}" if metrics.certificate_file else address


def numbers_are_open(settings: Settings) -> bool:
    """True if /metrics goes through a network as plain HTTP where calls do not."""
    metrics = settings.metrics
    is_open = metrics.port is not None and not is_loopback(metrics.host) and not metrics.certificate_file
    return is_open and bool(settings.server.certificate_file)


def _pair(section: str, certificate: str, key: str, client_ca: str = "") -> TlsFiles | None:
    both = {f"{section}.certificate_file": certificate, f"{section}.key_file": key}
    if not any(both.values()):
        return None
    missing = [name for name, file in both.items() if not file]
    if missing:
        raise SettingsRefused([f"{missing[0]} is not set, and the other one is: TLS takes both, as PEM files"])
    return TlsFiles(Path(certificate), Path(key), Path(client_ca) if client_ca else None)


def check_exposure(settings: Settings, *, authenticates: bool) -> str:
    """What a person should know of who can do what, "" = nothing. SettingsRefused.

    `authenticates`: calls need a token.
    """
    server = settings.server
    has_tls, has_certificates = bool(server.certificate_file), bool(server.client_ca_file)
    if is_loopback(server.host):
        return ""
    where = f"server.host = {server.host}, beyond this machine,"
    if not authenticates and not has_certificates:
        if not server.insecure:
            raise SettingsRefused(
                [f"{where} wants to know who may do what: turn on [auth] (docs/security.md), or say {INSECURE}, with"
                 " which whoever reaches the port can read and write everything"]
            )  # fmt: skip
        return "can read and write everything"
    if not has_tls:
        if not server.insecure:
            raise SettingsRefused(
                [f"{where} wants TLS, or tokens can be read on the way: set server.certificate_file and"
                 f" server.key_file, or say {INSECURE} where something else encrypts, such as a service mesh"]
            )  # fmt: skip
        return "reads and writes without TLS: whoever is on the way can read tokens"
    if not authenticates:
        return "and has a certificate of server.client_ca_file can read and write everything"
    return ""


def is_loopback(host: str) -> bool:
    """True if only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
