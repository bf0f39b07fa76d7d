"""fleetlog runs watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import typer
from fleetlog_core.printable import printable
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fleetlog._views.views import RunView
from fleetlog._views.watching import RunChanges
from fleetlog.cli.columns import asked, document, unasked, value_of
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import json_text, on_terminal, table_of, width
from fleetlog.cli.words import exact
from fleetlog.client import Client

Shown = Callable[[RunView, Sequence[str]], list[object]]
"""The cells of a run, by column."""


def watch(
    filter: Annotated[str, typer.Argument(help="See docs/filter.md; empty = all.")] = "",  # noqa: A002
    experiment: Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    order_by: Annotated[list[str] | None, typer.Option(help="Such as 'metrics.val_loss ASC'; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the first.")] = 20,
    columns: Annotated[str, typer.Option(help="By comma, such as name,params.lr,metrics.val_loss,duration.")] = "",
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Follow runs as they change, until Ctrl-C: a table on a terminal, a line for each change in a pipe.

    Example: fleetlog runs watch "attributes.state = 'RUNNING'" -e speedrun --order-by "metrics.val_loss ASC"
    """
    names, mentioned = asked(columns), [filter, *(order_by or ())]
    if names and "run_id" not in names:
        names.insert(0, "run_id")
    client = Client(target, namespace)
    by_id = {one.id: one.name for one in client.experiments(deleted="all")} if "experiment" in names else {}
    changes = client.watch_runs(filter, experiments=experiment or (), order_by=order_by or (), limit=limit)

    def shown(run: RunView, names: Sequence[str]) -> list[object]:
        return [value_of(run, name, by_id) for name in names]

    # To stop looking is how this ends: no error.
    with suppress(KeyboardInterrupt):
        if as_json:
            _print_json(changes)
        elif on_terminal():
            _draw(changes, names, mentioned, shown)
        else:
            _print_lines(changes, names, mentioned, shown)


def told(change: RunChanges) -> Iterable[tuple[str, RunView]]:
    """(what happened, run), one by one."""
    for what, runs in (("left", change.left), ("entered", change.entered), ("changed", change.changed)):
        for run in runs:
            yield what, run


def columns_of(change: RunChanges, mentioned: Sequence[str]) -> list[str]:
    """Columns for runs like these."""
    return ["run_id", "name", *unasked(change.runs, mentioned), "state", "start_time"]


def _print_json(changes: Iterable[RunChanges]) -> None:
    for change in changes:
        for what, run in told(change):
            print(json_text({"change": what, **document(run)}), flush=True)


def _print_lines(changes: Iterable[RunChanges], names: Sequence[str], mentioned: Sequence[str], shown: Shown) -> None:
    begun = False
    for change in changes:
        for what, run in told(change):
            if not begun:
                names, begun = names or columns_of(change, mentioned), True
                print("\t".join(["change", *map(printable, names)]), flush=True)
            print("\t".join([what, *map(exact, shown(run, names))]), flush=True)


def _draw(changes: Iterable[RunChanges], names: Sequence[str], mentioned: Sequence[str], shown: Shown) -> None:
    with Live(console=Console(width=width(), highlight=False), auto_refresh=False) as live:
        for change in changes:
            live.update(drawn(change, names or columns_of(change, mentioned), shown, datetime.now()), refresh=True)


def drawn(change: RunChanges, names: Sequence[str], shown: Shown, moment: datetime) -> Group:
    """The runs as they are; those that are new or changed stand out."""
    fresh = set() if change.snapshot else {run.id for run in change.entered}
    changed = {run.id for run in change.changed}
    styles = ["green" if run.id in fresh else "bold" if run.id in changed else "" for run in change.runs]
    table, _ = table_of(names, [shown(run, names) for run in change.runs], names, styles=styles)
    counts = [f"{len(change.runs)} runs"]
    for what, some in (("new", fresh), ("changed", changed), ("left", change.left)):
        counts += [f"{len(some)} {what}"] if some else []
    return Group(table, Text(f"{', '.join(counts)}, {moment:%H:%M:%S}; Ctrl-C ends", style="dim"))
