"""Options that every command has."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetlog.cli.run_ids import HELP

Target = Annotated[
    str | None,
    typer.Option(envvar="FLEETLOG_TARGET", help="host:port, or fleetlogs://host:port for TLS; default localhost:7460."),
]
Namespace = Annotated[str | None, typer.Option(envvar="FLEETLOG_NAMESPACE", help="Namespace; default 'default'.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="As it was then: 2026-01-31T12:00:00Z (local time without a zone), or how long ago: 30m, 2h, 3d.",
    ),
]
RunId = Annotated[str, typer.Argument(help=HELP)]
RunIds = Annotated[list[str], typer.Argument(help="Ids of runs, or their first digits.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
