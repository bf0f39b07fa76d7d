"""fleetlog tokens: create, ls, revoke; fleetlog login, logout and whoami."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import Annotated

import typer

from fleetlog._transport.targets import resolve_target
from fleetlog._transport.tokens import keep_token, kept_tokens
from fleetlog._views.tokens import Token
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.client import Client
from fleetlog.errors import FleetlogError, InvalidArgument

app = typer.Typer(no_args_is_help=True, help="Tokens that say who calls, and what they may do.")
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"([0-9]{1,6})([mhd])")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the token.")],
    role: Annotated[
        list[str], typer.Option(help="reader, writer, approver or admin, @ a namespace or *; again for more.")
    ],
    principal: Annotated[str, typer.Option(help="Who uses it; default: the name.")] = "",
    expires: Annotated[str | None, typer.Option(help="How long it holds: 12h, 90d. Default: without end.")] = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and print it: this once.

    Example: fleetlog tokens create ci --role writer@vision --role reader@* --expires 90d
    """
    made = Client(target, namespace).create_token(name, role, principal=principal, expires=_span(expires))
    if as_json:
        print_json({**vars(made.token), "secret": made.secret})
        return
    say(f"token {made.token.id} of {made.token.principal}: {', '.join(made.token.roles)}; it is shown this once")
    print(made.secret)


@app.command("ls")
def list_(
    revoked: Annotated[bool, typer.Option("--revoked", help="Those that were revoked too.")] = False,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """List tokens, the latest first.

    Example: fleetlog tokens ls --revoked
    """
    found = Client(target).tokens(revoked_too=revoked)
    if as_json:
        print_json([vars(one) for one in found])
        return
    if not found and on_terminal():
        say("no token")
        return
    print_rows(("id", "name", "principal", "roles", "expires", "state"), [_row(one) for one in found])


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Its name or its id.")],
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a token: every server refuses it within two seconds.

    Example: fleetlog tokens revoke ci
    """
    revoked = Client(target).revoke_token(name)
    if as_json:
        print_json(vars(revoked))
        return
    say(f"token {revoked.name} is revoked")


def login(target: Target = None) -> None:
    """Keep a token for a server, in a file for this user alone. The token is asked for, or read from a pipe.

    Example: fleetlog login --target fleetlogs://tracking.example.com
    """
    address = resolve_target(target)
    text = typer.prompt("token", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    before = kept_tokens().get(address, "")
    path = keep_token(address, text.strip())
    try:
        caller = Client(target).whoami()
    except FleetlogError:
        keep_token(address, before)
        raise
    say(f"{caller.principal or 'anybody'} at {address}; the token is in {path}")


def logout(target: Target = None) -> None:
    """Forget the token that `login` keeps for a server. It stays valid: see `tokens revoke`.

    Example: fleetlog logout
    """
    keep_token(resolve_target(target), "")


def whoami(target: Target = None, as_json: AsJson = False) -> None:
    """Tell who a server takes you for, and what you may do.

    Example: fleetlog whoami
    """
    caller = Client(target).whoami()
    if as_json:
        print_json(vars(caller))
        return
    if not caller.principal:
        print("anybody: the server asks for no token")
        return
    name = f" (token {caller.token_name})" if caller.token_name else ""
    end = f", until {caller.expires:%Y-%m-%d %H:%M} UTC" if caller.expires else ""
    print(f"{caller.principal}{name}: {', '.join(caller.roles) or 'no role'}{end}")


def _row(token: Token) -> tuple[str, ...]:
    expires = f"{token.expires:%Y-%m-%d %H:%M}" if token.expires else "never"
    return token.id, token.name, token.principal, " ".join(token.roles), expires, "revoked" if token.revoked else ""


def _span(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise InvalidArgument.of_field("EXPIRE_TIME_INVALID", "expires", f"{text!r} is no time; give 30m, 12h or 90d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
