"""The HTTP port: beside the parts of a process, or alone as `fleetlog serve web`."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from fleetlog_core.serving.metrics_port import MetricsPort
from fleetlog_core.serving.server import joined
from fleetlog_core.serving.telemetry import Telemetry

from fleetlog_deploy.exposure import INSECURE, is_loopback, metrics_tls_files, web_tls_files
from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import Settings, WebSettings

WEB_PORT = 7461


class WebPort(Protocol):
    """See fleetlog_query.web.port, which only a process that has one imports."""

    @property
    def port(self) -> int | None:
        """The port, while it listens."""
        ...

    async def start(self, query: str, ingest: str) -> int:
        """Listen, and ask these gRPC servers; the port. PortTaken, TlsRefused."""
        ...

    async def stop(self, grace_seconds: float) -> None:
        """Let what is under way end for so long. Idempotent."""
        ...


class WebAddress:
    """Address of the web UI as clients are told it: "" while there is none, or none that others reach."""

    def __init__(self, settings: WebSettings, web: WebPort | None) -> None:
        self._settings, self._web = settings, web

    def __call__(self) -> str:
        """The address by now."""
        if self._settings.url:
            return self._settings.url.rstrip("/")
        port = None if self._web is None else self._web.port
        # Of every address of the machine nobody knows which one a browser reaches.
        return "" if port is None or _is_unspecified(self._settings.host) else url_of_web(self._settings, port)


def web_port(settings: Settings, *, or_free: bool = False) -> WebPort | None:
    """The port that the settings ask for; None where they ask for none. SettingsRefused.

    `or_free`: it is another one where that is taken.
    """
    web = settings.web
    if not web.port:
        return None
    if _asks_for_certificates(settings):
        raise SettingsRefused(
            [
                "web.port: a browser has no certificate of server.client_ca_file to show, and without tokens whoever"
                " reaches the port could read and write everything; turn on [auth], or set web.port = 0"
            ]
        )
    tls = web_tls_files(web)
    # Servers elsewhere ask by themselves.
    asks = settings.auth.enabled or bool(web.query and web.ingest)
    if not (is_loopback(web.host) or settings.server.insecure or (tls is not None and asks)):
        raise SettingsRefused(
            [
                f'web.host = "{web.host}": what goes there over the network, tokens too, could be read, and without'
                " tokens whoever reaches it could read and write everything; set web.certificate_file, web.key_file"
                f" and [auth], listen on 127.0.0.1 behind a proxy that speaks TLS, or say {INSECURE}"
            ]
        )
    from fleetlog_query.web.app import WebOptions
    from fleetlog_query.web.gate import Shares
    from fleetlog_query.web.port import WebPort as HttpPort

    names = frozenset(name.lower() for name in (*web.hosts.split(","), web.host) if name)
    options = WebOptions(names, Shares(web.client_calls, web.client_sockets))
    ca_file = Path(web.ca_file) if web.ca_file else None
    return HttpPort(web.host, web.port, options, ca_file, or_free=or_free, tls=tls)


def with_usual_web_port(settings: Settings) -> Settings:
    """The settings with a port for the web UI where they name none: the usual one.

    None where clients are known by their certificates alone.
    """
    if settings.web.port is not None:
        return settings
    port = 0 if _asks_for_certificates(settings) else WEB_PORT
    return replace(settings, web=replace(settings.web, port=port))


def url_of_web(settings: WebSettings, port: int) -> str:
    """Address of the web UI for a browser on this machine."""
    scheme = "https" if settings.certificate_file else "http"
    return f"{scheme}://{dialled(settings.host, port)}"


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def dialled(host: str, port: int) -> str:
    """host:port under which a process of this machine reaches what listens there."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return joined(host, port)
    if address.is_unspecified:
        return joined("127.0.0.1" if address.version == 4 else "::1", port)
    return joined(host, port)


async def run_web(settings: Settings, announce: Callable[[int, int | None], None]) -> None:
    """Serve HTTP alone until SIGTERM or SIGINT, over servers elsewhere. PortTaken, SettingsRefused, TlsRefused.

    `announce` is told the port, and that of the numbers. It is ready while it listens: whether those servers answer is
    told to who calls, and by their own ports.
    """
    web = web_port(settings)
    if web is None:
        raise SettingsRefused(["web.port = 0: that is none; give another"])
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    metrics = metrics_port = None
    if settings.metrics.port is not None:
        tls = metrics_tls_files(settings.metrics)
        metrics = MetricsPort(settings.metrics.host, settings.metrics.port, Telemetry(), lambda: "", tls=tls)
        metrics_port = metrics.start()
    try:
        announce(await web.start(settings.web.query, settings.web.ingest), metrics_port)
        await stopping.wait()
        await web.stop(settings.server.drain_seconds)
    finally:
        if metrics is not None:
            metrics.stop()


def _asks_for_certificates(settings: Settings) -> bool:
    """True if certificates alone say who may come."""
    return bool(settings.server.client_ca_file) and not settings.auth.enabled
