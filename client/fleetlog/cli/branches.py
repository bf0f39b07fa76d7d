"""fleetlog runs branches."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from fleetlog._calls.base import Deleted
from fleetlog._views.series import Branch
from fleetlog.cli.context import AsJson, Namespace, RunId, Target
from fleetlog.cli.output import print_json, print_rows
from fleetlog.cli.run_ids import find_run
from fleetlog.client import Client

BranchOption = Annotated[
    str | None, typer.Option("--branch", help="Of a run that was rewound: a number from 0, or current.")
]
Superseded = Annotated[bool, typer.Option("--superseded", help="Branches that rewinds left behind, no other runs.")]


def view_of(superseded: bool, deleted: bool = False) -> Deleted:
    """The runs that options ask for. BadParameter."""
    if superseded and deleted:
        raise typer.BadParameter("give one of --deleted and --superseded", param_hint="--deleted")
    return "superseded" if superseded else "deleted" if deleted else "active"


def branch_of(text: str | None) -> Branch | None:
    """A branch as it was named. BadParameter."""
    if text is None:
        return None
    if text == "current":
        return "current"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is neither a number from 0 nor current", param_hint="--branch")
    return int(text)


def branches(run_id: RunId, target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """Show the branches of a run: what rewinds made of it.

    Example: fleetlog runs branches 0190a3b4
    """
    client = Client(target, namespace)
    found = client.branches(find_run(client, run_id))
    rows = [
        {
            "branch": one.branch, "run_id": one.id, "state": one.state, "current": one.superseded_by is None,
            "from_run": None if one.forked_from is None else one.forked_from[0],
            "from_step": None if one.forked_from is None else one.forked_from[1],
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    print_rows(list(rows[0]), [list(row.values()) for row in rows])
