"""fleetlog webhooks: create, ls, delete, test, deliveries."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from fleetlog._views.webhooks import Webhook
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.client import Client

Id = Annotated[int, typer.Argument(min=0, help="Id of the webhook.")]
SECRET = "FLEETLOG_WEBHOOK_SECRET"  # noqa: S105  the name of a variable
app = typer.Typer(no_args_is_help=True, help="URLs that are told of changes of registered models.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the webhook.")],
    url: Annotated[str, typer.Argument(help="An https:// URL.")],
    events: Annotated[list[str], typer.Argument(help="Such as model_version.created.")],
    description: Annotated[str, typer.Option(help="Text.")] = "",
    disabled: Annotated[bool, typer.Option("--disabled", help="Not told of anything for now.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Let a URL be told of what happens to models from now on.

    The secret that deliveries are signed with is taken from $FLEETLOG_WEBHOOK_SECRET, so that it is in no list of
    processes and in no history of commands; without it they are not signed.

    Example: fleetlog webhooks create ci https://ci.example.com/models model_version.created
    """
    secret = os.environ.get(SECRET, "")
    client = Client(target, namespace)
    made = client.create_webhook(name, url, events, secret=secret, description=description, disabled=disabled)
    if as_json:
        print_json(vars(made))
        return
    say(f"webhook {made.id} made" + ("" if made.signed else f"; its deliveries are not signed, ${SECRET} is not set"))
    print(made.id)


@app.command("ls")
def list_(target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List webhooks, the latest first.

    Example: fleetlog webhooks ls
    """
    found = Client(target, namespace).webhooks()
    if as_json:
        print_json([vars(one) for one in found])
        return
    if not found and on_terminal():
        say("no webhook")
        return
    print_rows(["id", "name", "url", "events", "state", "signed", "created"], [_row(one) for one in found])


@app.command()
def delete(webhook: Id, target: Target = None, namespace: Namespace = None) -> None:
    """Delete a webhook. What it was not told of yet is dropped.

    Example: fleetlog webhooks delete 17
    """
    Client(target, namespace).delete_webhook(webhook)


@app.command("test")
def try_(
    webhook: Id,
    event: Annotated[str, typer.Option(help="An event; empty = the first one of the webhook.")] = "",
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send an example to a webhook now, once. Exit code 1 when it does not take it.

    Example: fleetlog webhooks test 17
    """
    went = Client(target, namespace).test_webhook(webhook, event)
    if as_json:
        print_json(vars(went))
    else:
        print(went.error or f"the target answered {went.status}")
    if went.error:
        raise typer.Exit(1)


@app.command()
def deliveries(webhook: Id, target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List how deliveries went, those of the latest changes first.

    Example: fleetlog webhooks deliveries 17
    """
    found = Client(target, namespace).webhook_deliveries(webhook)
    if as_json:
        print_json([vars(one) for one in found])
        return
    if not found and on_terminal():
        say("no delivery")
        return
    print_rows(
        ["id", "event", "state", "attempts", "status", "time", "next", "error"],
        [(one.id, one.event, one.state, one.attempts, one.status, one.time, one.next_time, one.error) for one in found],
    )


def _row(webhook: Webhook) -> tuple[object, ...]:
    state = "disabled" if webhook.disabled else "active"
    signed = "yes" if webhook.signed else "no"
    return (webhook.id, webhook.name, webhook.url, ", ".join(webhook.events), state, signed, webhook.created)
