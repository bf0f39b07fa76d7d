"""`fleetlog up`: the embedded server in the foreground."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
import webbrowser
from pathlib import Path

from fleetlog_core.serving import diagnostics
from rich.console import Console
from rich.markup import escape

from fleetlog_deploy.authenticating import ADMIN_FILE, admin_token
from fleetlog_deploy.embedded import embedded
from fleetlog_deploy.exposure import address_of_numbers
from fleetlog_deploy.node import Node
from fleetlog_deploy.private import UMASK, make_private
from fleetlog_deploy.running import FAILED, exit_code, run_node
from fleetlog_deploy.settings.limits import SettingsFile
from fleetlog_deploy.settings.model import Settings
from fleetlog_deploy.web import url_of_web, with_usual_web_port


def up(data: Path, settings: Settings, as_json: bool, file: SettingsFile | None = None, *, opens: bool = False) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. `opens`: the web UI is opened in a browser.

    `file`: where limits may change meanwhile.
    """
    begun = time.monotonic()
    logs = data / "logs" / "fleetlog.log"
    try:
        # Before anything below it is made: what the runs hold is for nobody else on this machine.
        os.umask(UMASK)
        exposed = make_private(data)
        logs.parent.mkdir(exist_ok=True)
        is_first = settings.auth.enabled and not settings.auth.admin_token and admin_token(data)[1]
        diagnostics.configure("up", settings.diagnostics.format, settings.diagnostics.level, logs)
    except OSError as error:
        print(f"fleetlog: {data} can't be used: {error.strerror}; give another --data", file=sys.stderr)
        return FAILED
    if exposed:
        print(f"fleetlog: {exposed}", file=sys.stderr)
        logging.getLogger(__name__).warning("%s", exposed)

    def announce(target: str, node: Node) -> None:
        metrics = None if node.metrics_port is None else address_of_numbers(settings.metrics, node.metrics_port)
        web = None if node.web_port is None else url_of_web(settings.web, node.web_port)
        _announce(target, metrics, web, data, logs, time.monotonic() - begun, as_json)
        if is_first:
            file = data / ADMIN_FILE
            print(f"fleetlog: the token of the first admin is in {file}: FLEETLOG_TOKEN_FILE={file}", file=sys.stderr)
        if opens and web is not None:
            # Some browsers hold whoever starts them.
            threading.Thread(target=_open, args=(web,), name="browser", daemon=True).start()

    def work() -> None:
        # Nobody chose the usual port, so another will do where it is taken.
        or_free, with_web = settings.web.port is None, with_usual_web_port(settings)
        asyncio.run(run_node(lambda now: embedded(data, now, free_web_port=or_free), with_web, announce, file))

    mend = f"`fleetlog replay --data {data}` makes the tables anew from the log"
    code = exit_code(work, str(data), f"{logs} has more", mend)
    if code == 0 and not as_json:
        print("fleetlog stopped; everything acknowledged is on disk", file=sys.stderr)
    return code


def _open(web: str) -> None:
    if not webbrowser.open(web):
        print(f"fleetlog: no browser could be started; open {web}", file=sys.stderr)


def _announce(
    target: str, metrics: str | None, web: str | None, data: Path, logs: Path, seconds: float, as_json: bool
) -> None:
    if as_json:
        told: dict[str, object] = {"target": target, "data": str(data), "logs": str(logs), "pid": os.getpid()}
        more = {name: where for name, where in (("metrics", metrics), ("web", web)) if where}
        print(json.dumps(told | more), flush=True)
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]fleetlog[/bold] is up on [bold]{escape(target)}[/bold] after {seconds:.1f} s")
    console.print(f"  data  {data}\n  logs  {logs}", markup=False)
    if web:
        console.print(f"  web   {web}", markup=False)
    if metrics:
        console.print(f"  numbers  {metrics if '://' in metrics else f'http://{metrics}'}/metrics", markup=False)
    console.print(f"  use   export FLEETLOG_TARGET={target}\n  stop  Ctrl-C, or kill {os.getpid()}", markup=False)
    sys.stdout.flush()
