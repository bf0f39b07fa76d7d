"""A node in the foreground: until a signal, or until it can't go on."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from fleetlog_core.auth.permissions import MethodUnsaid
from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.open_files import raise_open_files
from fleetlog_core.serving.server import PortTaken, joined
from fleetlog_core.serving.tls import TlsRefused
from fleetlog_core.warehouse.port import WarehouseUnavailable
from fleetlog_ingest.losses import LogLost
from fleetlog_ingest.materializer.loop.recovery import WarehouseBehind

from fleetlog_deploy.exposure import address_of_numbers, check_exposure, numbers_are_open
from fleetlog_deploy.node import Node, Superseded
from fleetlog_deploy.settings.limits import SettingsFile, keep_limits
from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import Settings

diagnostics = logging.getLogger(__name__)
STOPPED, FAILED, REFUSED = 0, 1, 2
"""Exit codes: stopped as it was told, could not start or go on, settings that can't be meant."""
HARD_SECONDS = 75.0
"""Beyond the drain: what has not ended by then is cut off. What was acknowledged is in the log already."""
Announce = Callable[[str, Node], None]
"""Told the target when it serves."""


class Failed(Exception):
    """A part ended and needs a person; the cause says why."""


async def run_node(
    make: Callable[[Settings], Node], settings: Settings, announce: Announce, file: SettingsFile | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Failed, PortTaken, SettingsRefused, TlsRefused; what `make` raises.

    When the tables lost rows, or another generation of them is current, the node is made anew on the same ports.
    Limits that change in `file` hold from then on.
    """
    # Each client is a connection, and the usual limit is 1,024.
    raise_open_files()
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    exposed = check_exposure(settings, authenticates=settings.auth.enabled)
    node, port = await _started(make, settings)
    target = joined(settings.server.host, port)
    if settings.server.certificate_file:
        target = f"fleetlogs://{target}"
    if exposed:
        print(f"fleetlog: whoever reaches {target} {exposed}", file=sys.stderr)
    if numbers_are_open(settings):
        address = address_of_numbers(settings.metrics, node.metrics_port or 0)
        print(
            f"fleetlog: http://{address}/metrics has no TLS: whoever is on the way can read its numbers; set"
            " metrics.certificate_file and metrics.key_file",
            file=sys.stderr,
        )
    announce(target, node)
    same_ports = replace(
        settings,
        server=replace(settings.server, port=port),
        metrics=replace(settings.metrics, port=node.metrics_port),
    )
    behind = 0
    while True:
        watching = asyncio.create_task(keep_limits(node.limiter, file))
        failure, generation = await _ended(node, stopping, settings.server.drain_seconds), node.generation()
        watching.cancel()
        if failure is None:
            return
        if not (isinstance(failure, Superseded) or (isinstance(failure, WarehouseBehind) and generation > behind)):
            raise Failed(str(failure)) from failure
        if stopping.is_set():
            return
        behind = generation
        limits = node.limiter.limits
        node, _ = await _started(make, same_ports)
        node.limiter.change(limits)


async def _started(make: Callable[[Settings], Node], settings: Settings) -> tuple[Node, int]:
    """A node that serves, and its port."""
    node = make(settings)
    try:
        return node, await node.start()
    except (PortTaken, TlsRefused, MethodUnsaid):
        await node.stop()
        raise


async def _ended(node: Node, stopping: asyncio.Event, drain_seconds: float) -> BaseException | None:
    """Wait until it was told to stop or can't go on, and stop it; what ended it."""
    waits = [asyncio.create_task(stopping.wait()), asyncio.create_task(node.failed.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    if node.failure is not None:
        diagnostics.warning("no longer served: %s", node.failure)
    cut = threading.Timer(drain_seconds + HARD_SECONDS, _cut)
    cut.daemon = True
    cut.start()
    await node.stop()
    cut.cancel()
    return node.failure


def exit_code(work: Callable[[], None], what: str, more: str, mend: str) -> int:
    """The exit code of `work`, with what went wrong in a line on stderr.

    `what` is being served, `more` says where to look, and `mend` what helps when the tables can't be folded on.
    """
    try:
        work()
    except SettingsRefused as error:
        for complaint in error.complaints:
            print(f"fleetlog: {complaint}", file=sys.stderr)
        return REFUSED
    except Failed as error:
        diagnostics.error("the materializer ended", exc_info=error.__cause__)
        print(f"fleetlog: stopped: {error}; {more}, and {mend}", file=sys.stderr)
        return FAILED
    except (LogUnavailable, WarehouseUnavailable, LogLost, PortTaken, TlsRefused, MethodUnsaid) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        return FAILED
    except ImportError as error:
        print(f"fleetlog: this needs the server's packages: pip install 'fleetlog[server]' ({error})", file=sys.stderr)
        return FAILED
    except Exception as error:
        diagnostics.exception("fleetlog did not start")
        print(f"fleetlog: {what} can't be served: {error}; {more}", file=sys.stderr)
        return FAILED
    return STOPPED


def _cut() -> None:
    diagnostics.error("the drain did not end; cut off")
    logging.shutdown()
    os._exit(FAILED)
