"""The `fleetlog` command: the client's commands, and those that open data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from fleetlog.cli.app import app, run_app

from fleetlog_deploy import topics
from fleetlog_deploy.doctor import default_data, examine

MISSING = "this needs the server's packages: pip install 'fleetlog[server]'"
log = typer.Typer(no_args_is_help=True, help="The event log.")
app.add_typer(topics.app, name="topics", rich_help_panel="Server")
app.add_typer(log, name="log", rich_help_panel="Server")


@app.command(rich_help_panel="Server")
def up(
    data: Annotated[Path | None, typer.Option(help="Data directory. Default: ~/.local/share/fleetlog")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7460,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: Annotated[bool, typer.Option("--json", help="Say where things are as one line of JSON.")] = False,
) -> None:
    """Run fleetlog on this machine, in one process.

    Example: fleetlog up --data ./tracking --port 7460
    """
    try:
        from fleetlog_deploy.up import up as serve
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(serve((data or default_data()).absolute(), host, port, as_json))


@app.command(rich_help_panel="Server")
def replay(
    data: Annotated[
        Path | None,
        typer.Option(help="Data directory of a server that is not running. Default: ~/.local/share/fleetlog"),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare only; change nothing.")] = False,
) -> None:
    """Fold the log again into fresh tables, or compare what that gives with the tables there are.

    Example: fleetlog replay --verify --data ./tracking
    """
    try:
        from fleetlog_deploy.replaying import replay_data
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(replay_data((data or default_data()).absolute(), verify))


@app.command(rich_help_panel="Server")
def doctor(
    data: Annotated[Path | None, typer.Option(help="Data directory. Default: ~/.local/share/fleetlog")] = None,
    target: Annotated[str | None, typer.Option(envvar="FLEETLOG_TARGET", help="host:port of the server.")] = None,
) -> None:
    """Find what is wrong with this installation, and how to mend it.

    Example: fleetlog doctor --target localhost:7460
    """
    raise typer.Exit(examine((data or default_data()).absolute(), target))


@log.command()
def copy(
    source: Annotated[
        str, typer.Argument(help="Data directory of a server that is stopped, or kafka://host:port/prefix.")
    ],
    target: Annotated[str, typer.Argument(help="As SOURCE. A directory is made; topics must be there.")],
    verify: Annotated[bool, typer.Option("--verify", help="Compare every record afterwards.")] = False,
) -> None:
    """Copy a log into another engine, byte for byte. Broken off, it goes on when it is run again.

    Nobody may write to either meanwhile. The tables are folded anew from the copy; artifacts above 1 MiB are not in the
    log but in the object store, and stay there.

    Example: fleetlog log copy ./tracking kafka://broker-1:9092/fleetlog --verify
    """
    try:
        from fleetlog_deploy.log_copy import copy_data
    except ImportError as error:
        raise SystemExit(f"fleetlog: {MISSING} ({error})") from None
    raise typer.Exit(copy_data(source, target, verify))


def main() -> None:
    """The console script."""
    sys.exit(run_app())
