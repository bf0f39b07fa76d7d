"""fleetlog experiments: ls, create."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, print_rows
from fleetlog.client import Client

app = typer.Typer(no_args_is_help=True, help="Named sets of runs.")


@app.command("ls")
def list_(target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List experiments.

    Example: fleetlog experiments ls
    """
    found = Client(target, namespace).experiments()
    if as_json:
        print_json([{**vars(one)} for one in found])
        return
    print_rows(
        ["id", "name", "created"],
        [(one.id, one.name, one.create_time if one.create_time.timestamp() else None) for one in found],
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="1 to 500 characters.")],
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="Answer with the one there is.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Make an experiment.

    Example: fleetlog experiments create speedrun
    """
    made = Client(target, namespace).create_experiment(name, exist_ok=exist_ok)
    if as_json:
        print_json(vars(made))
    else:
        print_rows(["id", "name"], [(made.id, made.name)])
