"""fleetlog runs watch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fleetlog.cli.columns import document, value_of
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import jsonable
from fleetlog.cli.words import exact, human
from fleetlog.client import Client
from fleetlog.views import RunView
from fleetlog.watching import RunChanges


def watch(
    filter: Annotated[str, typer.Argument(help="See docs/filter.md; empty = all.")] = "",  # noqa: A002
    experiment: Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    order_by: Annotated[list[str] | None, typer.Option(help="Such as 'metrics.val_loss ASC'; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the first.")] = 20,
    columns: Annotated[str, typer.Option(help="Columns, by comma.")] = "",
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Follow runs as they change, until Ctrl-C: a table on a terminal, a line for each change in a pipe.

    Example: fleetlog runs watch "attributes.state = 'RUNNING'" -e speedrun --order-by "metrics.val_loss ASC"
    """
    client = Client(target, namespace)
    changes = client.watch_runs(filter, experiments=experiment or (), order_by=order_by or (), limit=limit)
    names = [name.strip() for name in columns.split(",") if name.strip()]
    # To stop looking is how this ends: no error.
    with suppress(KeyboardInterrupt):
        if as_json:
            _print_json(changes)
        elif sys.stdout.isatty():
            _draw(changes, names)
        else:
            _print_lines(changes, names)


def told(change: RunChanges) -> Iterable[tuple[str, RunView]]:
    """(what happened, run), one by one."""
    for what, runs in (("left", change.left), ("entered", change.entered), ("changed", change.changed)):
        for run in runs:
            yield what, run


def shown(change: RunChanges) -> list[str]:
    """Columns for runs like these."""
    keys = [key for run in change.runs[:1] for key in sorted(run.metrics)[:4]]
    return ["name", "state", "start_time", *[f"metrics.{key}" for key in keys]]


def _print_json(changes: Iterable[RunChanges]) -> None:
    for change in changes:
        for what, run in told(change):
            print(json.dumps(jsonable({"change": what, **document(run)}), ensure_ascii=False), flush=True)


def _print_lines(changes: Iterable[RunChanges], names: Sequence[str]) -> None:
    begun = False
    for change in changes:
        for what, run in told(change):
            if not begun:
                names, begun = names or shown(change), True
                print("\t".join(["change", "run_id", *names]), flush=True)
            values = [exact(value_of(run, name, {})) for name in names]
            print("\t".join([what, run.id, *values]), flush=True)


def _draw(changes: Iterable[RunChanges], names: Sequence[str]) -> None:
    console = Console()
    with Live(console=console, auto_refresh=False) as live:
        for change in changes:
            live.update(drawn(change, names or shown(change), datetime.now(UTC)), refresh=True)


def drawn(change: RunChanges, names: Sequence[str], moment: datetime) -> Table:
    """The runs as they are; those that are new or changed stand out."""
    table = Table("run_id", *names, box=None, header_style="bold", pad_edge=False, caption_justify="left")
    fresh = set() if change.snapshot else {run.id for run in change.entered}
    changed = {run.id for run in change.changed}
    for run in change.runs:
        style = "green" if run.id in fresh else "bold" if run.id in changed else None
        table.add_row(run.id, *[Text(human(value_of(run, name, {}), moment)) for name in names], style=style)
    counts = [f"{len(change.runs)} runs"]
    for what, some in (("new", fresh), ("changed", changed), ("left", change.left)):
        counts += [f"{len(some)} {what}"] if some else []
    table.caption = f"{', '.join(counts)}, {moment:%H:%M:%S}; Ctrl-C ends"
    return table
