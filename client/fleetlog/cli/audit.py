"""fleetlog audit: who did what, and who was kept from it."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from fleetlog._views.events import DeniedCall, LoggedEvent
from fleetlog.cli.context import AsJson, AsOf, Namespace, Target
from fleetlog.cli.output import json_text, on_terminal, print_json, print_rows, say
from fleetlog.cli.run_ids import HELP, find_run
from fleetlog.client import Client

LIMIT = 100
_COLUMNS = ("time", "who", "token", "kinds", "run_id", "summary", "refused", "gateway", "position")


def audit(
    run: Annotated[str | None, typer.Argument(help=HELP + " Left out: of the whole namespace.")] = None,
    experiment: Annotated[str | None, typer.Option("--experiment", "-e", help="An experiment and its runs.")] = None,
    model: Annotated[str | None, typer.Option(help="A registered model and its versions.")] = None,
    principal: Annotated[str, typer.Option(help="Only what this user or service did.")] = "",
    token: Annotated[str, typer.Option(help="Only what was done with the token of this name.")] = "",
    kind: Annotated[list[str] | None, typer.Option(help="Only these, such as run_finished; again for more.")] = None,
    since: Annotated[str | None, typer.Option(help="From then on: a time, or how long ago, such as 2h.")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    as_of: AsOf = None,
    latest: Annotated[bool, typer.Option("--latest", help="The latest first.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help=f"How many; default {LIMIT}, in a pipe all.")] = None,
    messages: Annotated[bool, typer.Option("--messages", help="With --json: the whole message of each.")] = False,
    denied: Annotated[bool, typer.Option("--denied", help="The last calls that were denied instead.")] = False,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", help="Of all namespaces and the server's tokens, for admins of *.")
    ] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what: each record of the log with its time, who sent it by which token, and what stands in it.

    Examples:
    fleetlog audit 0197f3 --kind run_finished --kind run_deleted

    fleetlog audit -e speedrun --since 2h --latest

    fleetlog audit --model tiny-lm --as-of 2026-01-31T12:00:00Z --json

    fleetlog audit --principal ann --all-namespaces

    fleetlog audit --denied
    """
    client = Client(target, namespace)
    if denied:
        _print_denied(client.denied_calls(all_namespaces=all_namespaces), as_json)
        return
    most = LIMIT if limit is None and on_terminal() else limit
    found = client.events(
        None if run is None else find_run(client, run), experiment=experiment, model=model, principal=principal,
        token=token, kinds=kind or (), since=since, until=until, as_of=as_of, latest_first=latest,
        limit=None if most is None else most + 1, messages=messages, all_namespaces=all_namespaces,
    )  # fmt: skip
    if as_json and not on_terminal():
        # One a line, as they come: there may be millions.
        for event in islice(found, most):
            print(json_text(_document(event)))
        return
    events = list(islice(found, most)) if most is not None else list(found)
    if as_json:
        print_json([_document(event) for event in events])
        return
    if not events and on_terminal():
        say("nothing")
        return
    print_rows(_COLUMNS, [_row(event) for event in events])
    if most is not None and len(events) == most and next(found, None) is not None:
        say(f"there are more than {most:,}: --limit, --since or --kind")


def _print_denied(calls: list[DeniedCall], as_json: bool) -> None:
    if as_json:
        print_json([vars(one) for one in calls])
        return
    if not calls and on_terminal():
        say("no call was denied")
        return
    print_rows(
        ("time", "who", "token", "call", "reason", "namespace", "server"),
        [(one.time, one.principal, one.token, one.method, one.reason, one.namespace, one.server) for one in calls],
    )


def _row(event: LoggedEvent) -> tuple[object, ...]:
    place = f"{event.partition}:{event.offset}"
    about = event.run_id or event.logged_model_id
    return (
        event.time, event.principal, event.token, ", ".join(event.kinds), about, event.summary, event.refused,
        event.gateway, place,
    )  # fmt: skip


def _document(event: LoggedEvent) -> dict[str, object]:
    return {**vars(event), "position": f"{event.partition}:{event.offset}"}
