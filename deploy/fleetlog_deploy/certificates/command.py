"""`fleetlog certificates`."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

DAYS = 365
"""Days that a certificate holds unless it is said."""
_FOR = re.compile(r"([a-z0-9][a-z0-9-]{0,62})=([A-Za-z0-9.:*-]{1,253}(?:,[A-Za-z0-9.:*-]{1,253})*)")


def certificates(
    directory: Annotated[
        Path, typer.Argument(help="Where they are, and are put. The CA in it is used, or one is made.")
    ],
    wanted: Annotated[
        list[str],
        typer.Option(
            "--for", help="FOLDER=NAME,NAME: a certificate for these names or addresses, in a folder. Repeat it."
        ),
    ],
    days: Annotated[int, typer.Option(min=1, max=825, help="Days that a new certificate holds.")] = DAYS,
    renew: Annotated[bool, typer.Option("--renew", help="Make all of them anew.")] = False,
    new_ca: Annotated[
        bool,
        typer.Option("--new-ca", help="Make another CA, and trust both. Certificates stay: --renew them afterwards."),
    ] = False,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Keys can be read by other users of this machine who may enter DIRECTORY: for containers, whose user"
            " is another one. DIRECTORY itself stays for you alone.",
        ),
    ] = False,
) -> None:
    """Make a private CA, and certificates of it, where they are missing, end soon or are for other names.

    Example: fleetlog certificates ./private --for server=localhost,fleetlog.example.com --for kafka=kafka
    """
    try:
        from fleetlog_deploy.certificates.authority import NotOurs
        from fleetlog_deploy.certificates.folders import put
    except ImportError as error:
        raise SystemExit(
            f"fleetlog: this needs the server's packages: pip install 'fleetlog[server]' ({error})"
        ) from None
    asked = {}
    for one in wanted:
        parts = _FOR.fullmatch(one)
        if parts is None:
            raise typer.BadParameter(f"{one[:200]!r} is not FOLDER=NAME,NAME, such as server=localhost,10.0.0.7")
        asked[parts[1]] = parts[2].split(",")
    try:
        for line in put(directory, asked, datetime.now(UTC), days, renew=renew, new_ca=new_ca, shared=shared):
            print(line, flush=True)
    except (NotOurs, OSError, ValueError) as error:
        print(f"fleetlog: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
