"""`fleetlog serve`: one part or some in a process, beside any number of others over the same engines."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.serving import diagnostics
from fleetlog_core.serving.telemetry import Telemetry

from fleetlog_deploy.authenticating import authentication_of
from fleetlog_deploy.engines import Engines, need, need_shared
from fleetlog_deploy.exposure import address_of_numbers
from fleetlog_deploy.node import Node
from fleetlog_deploy.parts.gateway import GatewayPart
from fleetlog_deploy.parts.materializer import MaterializerPart
from fleetlog_deploy.parts.part import Part
from fleetlog_deploy.parts.query import QueryPart
from fleetlog_deploy.preparing import prepare
from fleetlog_deploy.running import exit_code, run_node
from fleetlog_deploy.settings.limits import SettingsFile
from fleetlog_deploy.settings.model import Settings
from fleetlog_deploy.tracing import traces_of
from fleetlog_deploy.web import WEB_PORT, WebAddress, run_web, url_of_web, web_port
from fleetlog_deploy.webhooks import WebhooksPart

NEEDS = {
    "gateway": ("log.url", "warehouse.url", "objects.url"),
    "materializer": ("log.url", "warehouse.url", "objects.url"),
    "query": ("warehouse.url", "objects.url", "query.token_key"),
    "webhooks": ("log.url", "warehouse.url"),
    "web": (),
}
"""The parts, and the settings without which each can't be."""


def serve(names: Sequence[str], settings: Settings, as_json: bool, file: SettingsFile | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. Diagnostics go to stderr. `file`: where limits may change."""
    what = "+".join(names)
    diagnostics.configure(what, settings.diagnostics.format, settings.diagnostics.level)

    if "web" in names and settings.web.port is None:
        settings = replace(settings, web=replace(settings.web, port=WEB_PORT))

    def announce(target: str | None, web: int | None, metrics_port: int | None) -> None:
        metrics = None if metrics_port is None else address_of_numbers(settings.metrics, metrics_port)
        url = None if web is None else url_of_web(settings.web, web)
        logging.getLogger(__name__).info("serving on %s, metrics on %s", target or url, metrics or "no port")
        if as_json:
            told: dict[str, object] = {"parts": names, "target": target, "web": url, "metrics": metrics}
            print(json.dumps({k: v for k, v in told.items() if v is not None} | {"pid": os.getpid()}), flush=True)

    def work() -> None:
        if names == ["web"]:
            need(settings, "web.query", "web.ingest")
            asyncio.run(run_web(settings, lambda port, metrics_port: announce(None, port, metrics_port)))
        else:
            asyncio.run(
                run_node(
                    lambda current: node_of(names, current),
                    settings,
                    lambda target, node: announce(target, node.web_port, node.metrics_port),
                    file,
                )
            )

    mend = "an empty database with a materializer.group of its own makes the tables anew from the log"
    return exit_code(work, what, "the lines above have more", mend)


def node_of(names: Sequence[str], settings: Settings) -> Node:
    """The process of the parts."""
    need(settings, *dict.fromkeys(setting for name in names for setting in NEEDS[name]))
    need_shared(settings)
    telemetry = Telemetry(traces_of(settings, "+".join(names)))
    engines = Engines(settings, telemetry)
    try:
        # First: it may find that another generation of the tables has to be made.
        group = prepare(engines, settings.materializer.group, telemetry) if "materializer" in names else ""
        applied = AppliedWatch(engines.reads, settings.warehouse.applied_poll_millis / 1000)
        authentication = authentication_of(settings.auth, engines.reads)
        web = web_port(settings) if "web" in names else None
        parts: list[Part] = []
        if "gateway" in names:
            lost_seconds = settings.materializer.lost_seconds_by
            parts.append(GatewayPart(engines, applied, telemetry, settings.webhooks, authentication, lost_seconds))
        if "query" in names:
            address = WebAddress(settings.web, web)
            parts.append(QueryPart(engines, applied, telemetry, settings.query, address))
        if "materializer" in names:
            decisions = applied.decisions
            parts.append(
                MaterializerPart(engines, telemetry, settings.materializer, group, applied.poke, decisions=decisions)
            )
        if "webhooks" in names:
            parts.append(WebhooksPart(engines, telemetry, settings.webhooks))
        return Node(settings, telemetry, engines, parts, applied, web, authentication)
    except BaseException:
        engines.close()
        raise
