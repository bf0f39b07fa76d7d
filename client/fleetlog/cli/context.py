"""Options that every command has."""

from __future__ import annotations

from typing import Annotated

import typer

Target = Annotated[str | None, typer.Option(envvar="FLEETLOG_TARGET", help="host:port; default localhost:7460.")]
Namespace = Annotated[str | None, typer.Option(envvar="FLEETLOG_NAMESPACE", help="Namespace; default 'default'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
