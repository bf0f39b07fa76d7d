"""`fleetlog up`: the embedded server in the foreground."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

from fleetlog_core.log.port import LogUnavailable
from fleetlog_core.serving.server import PortTaken, joined
from fleetlog_core.warehouse.port import WarehouseUnavailable
from rich.console import Console
from rich.markup import escape

from fleetlog_deploy.embedded import Embedded

diagnostics = logging.getLogger(__name__)


def up(data: Path, host: str, port: int, as_json: bool) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code."""
    begun = time.monotonic()
    logs = data / "logs" / "fleetlog.log"
    try:
        # Before anything below it is made: what the runs hold is for nobody else on this machine.
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        logs.parent.mkdir(exist_ok=True)
        logging.basicConfig(
            filename=logs, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
        )
    except OSError as error:
        print(f"fleetlog: {data} can't be used: {error.strerror}; give another --data", file=sys.stderr)
        return 1
    try:
        return asyncio.run(_serve(data, host, port, as_json, logs, begun))
    except (LogUnavailable, WarehouseUnavailable, PortTaken) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        diagnostics.exception("fleetlog did not start")
        print(f"fleetlog: {data} can't be served: {error}; {logs} has more", file=sys.stderr)
        return 1


async def _serve(data: Path, host: str, port: int, as_json: bool, logs: Path, begun: float) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    embedded = Embedded(data, host, port)
    try:
        bound = await embedded.start()
    except PortTaken:
        await embedded.stop()
        raise
    target = joined(host, bound)
    if not _is_loopback(host):
        print(f"fleetlog: whoever reaches {target} can read and write everything", file=sys.stderr)
    _announce(target, data, logs, time.monotonic() - begun, as_json)
    waits = [asyncio.create_task(stopping.wait()), asyncio.create_task(embedded.failed.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    await embedded.stop()
    if embedded.failure is not None:
        diagnostics.error("the materializer ended", exc_info=embedded.failure)
        print(
            f"fleetlog: stopped: {embedded.failure}; {logs} has more, and `fleetlog replay --data {data}` makes the"
            " tables anew from the log",
            file=sys.stderr,
        )
        return 1
    if not as_json:
        print("fleetlog stopped; everything acknowledged is on disk", file=sys.stderr)
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce(target: str, data: Path, logs: Path, seconds: float, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"target": target, "data": str(data), "logs": str(logs), "pid": os.getpid()}), flush=True)
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]fleetlog[/bold] is up on [bold]{escape(target)}[/bold] after {seconds:.1f} s")
    console.print(f"  data  {data}\n  logs  {logs}", markup=False)
    console.print(f"  use   export FLEETLOG_TARGET={target}\n  stop  Ctrl-C, or kill {os.getpid()}", markup=False)
    sys.stdout.flush()
