"""`fleetlog serve`: one part in a process of its own, beside any number of others over the same engines."""

from __future__ import annotations

import asyncio
import json
import logging
import os

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.serving import diagnostics
from fleetlog_core.serving.server import joined
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.migrate import migrate

from fleetlog_deploy.engines import Engines, need, need_shared
from fleetlog_deploy.node import Node
from fleetlog_deploy.parts import GatewayPart, MaterializerPart, Part, QueryPart
from fleetlog_deploy.running import exit_code, run_node
from fleetlog_deploy.settings.model import Settings

PARTS = ("gateway", "materializer", "query")
NEEDS = {
    "gateway": ("log.url", "warehouse.url", "objects.url"),
    "materializer": ("log.url", "warehouse.url", "objects.url"),
    "query": ("warehouse.url", "objects.url", "query.token_key"),
}


def serve(name: str, settings: Settings, as_json: bool) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. Diagnostics go to stderr."""
    diagnostics.configure(name, settings.diagnostics.format, settings.diagnostics.level)

    def announce(target: str, node: Node) -> None:
        metrics = None if node.metrics_port is None else joined(settings.metrics.host, node.metrics_port)
        logging.getLogger(__name__).info("%s serves on %s, metrics on %s", name, target, metrics or "no port")
        if as_json:
            told = {"part": name, "target": target, "pid": os.getpid()} | ({"metrics": metrics} if metrics else {})
            print(json.dumps(told), flush=True)

    def work() -> None:
        asyncio.run(run_node(lambda: node_of(name, settings), settings, announce))

    mend = "an empty database with a materializer.group of its own makes the tables anew from the log"
    return exit_code(work, name, "the lines above have more", mend)


def node_of(name: str, settings: Settings) -> Node:
    """The process of one part."""
    need(settings, *NEEDS[name])
    need_shared(settings)
    telemetry = Telemetry()
    engines = Engines(settings, telemetry)
    try:
        applied = AppliedWatch(engines.warehouse, settings.warehouse.applied_poll_millis / 1000)
        return Node(settings, telemetry, engines, [_part(name, settings, engines, applied, telemetry)], applied)
    except BaseException:
        engines.close()
        raise


def _part(name: str, settings: Settings, engines: Engines, applied: AppliedWatch, telemetry: Telemetry) -> Part:
    if name == "gateway":
        return GatewayPart(engines, applied, telemetry)
    if name == "query":
        return QueryPart(engines, applied, bytes.fromhex(settings.query.token_key))
    migrate(engines.warehouse)
    return MaterializerPart(engines, telemetry, settings.materializer)
