"""fleetlog experiments: ls, create."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, print_rows
from fleetlog.client import Client

app = typer.Typer(no_args_is_help=True, help="Named sets of runs.")


@app.command("ls")
def list_(
    contains: Annotated[str, typer.Option(help="Only those with this text in their name, in any case.")] = "",
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List experiments: how many runs each has, how many are running, and when the last one started.

    Example: fleetlog experiments ls --contains speed
    """
    found = Client(target, namespace).experiments(contains=contains, activity=True)
    if as_json:
        print_json([{**vars(one), "activity": vars(one.activity) if one.activity else None} for one in found])
        return
    rows = []
    for one in found:
        created, known = one.create_time if one.create_time.timestamp() else None, one.activity
        activity = (known.runs, known.running_runs, known.last_start_time) if known else (None, None, None)
        rows.append((one.id, one.name, *activity, created))
    print_rows(["id", "name", "runs", "running", "last start", "created"], rows)


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
