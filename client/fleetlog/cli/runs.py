"""fleetlog runs: search, get, diff."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import plain, print_json, print_rows
from fleetlog.client import Client
from fleetlog.views import RunView

app = typer.Typer(no_args_is_help=True, help="Find runs, look at them, compare them.")


def document(run: RunView) -> dict[str, Any]:
    """A run for JSON."""
    return {
        "run_id": run.id, "name": run.name, "state": run.state, "user": run.user,
        "experiment_id": run.experiment_id, "start_time": run.start_time, "end_time": run.end_time,
        "parent_run_id": run.parent_id, "params": run.params, "tags": run.tags, "metrics": run.metrics,
    }  # fmt: skip


def value_of(run: RunView, column: str) -> object:
    """A column such as metrics.val_loss, params.lr, tags.team or name."""
    group, _, key = column.partition(".")
    if group == "metrics":
        return run.metrics.get(key)
    if group == "params":
        return run.params.get(key)
    if group == "tags":
        return run.tags.get(key)
    return document(run).get(column)


@app.command()
def search(
    filter: Annotated[str, typer.Argument(help="See docs/filter.md; empty = all.")] = "",  # noqa: A002
    experiment: Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    order_by: Annotated[list[str] | None, typer.Option(help="Such as 'metrics.val_loss ASC'; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 20,
    columns: Annotated[str, typer.Option(help="Columns, by comma.")] = "",
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Find runs.

    Example: fleetlog runs search "metrics.val_loss <= 3.28" -e speedrun --order-by "metrics.train_time ASC"
    """
    client = Client(target, namespace)
    found = client.search_runs(filter, experiments=experiment or (), order_by=order_by or (), limit=limit)
    if as_json:
        print_json([document(run) for run in found])
        return
    names = [name.strip() for name in columns.split(",") if name.strip()]
    if not names:
        shown = [key for run in found[:1] for key in sorted(run.metrics)[:4]]
        names = ["name", "state", "start_time", *[f"metrics.{key}" for key in shown]]
    print_rows(["run_id", *names], [[run.id, *[value_of(run, name) for name in names]] for run in found])


@app.command()
def get(
    run_id: Annotated[str, typer.Argument(help="32 hexadecimal digits.")],
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of a run.

    Example: fleetlog runs get 0190a3b4c5d67e8f9a0b1c2d3e4f5061
    """
    run = Client(target, namespace).get_run(run_id)
    problems = [{"reason": one.reason, "message": one.message, "points": one.points} for one in run.problems]
    if as_json:
        summaries = {key: vars(run.summary(key)) for key in run.metrics}
        print_json({**document(run), "summaries": summaries, "problems": problems})
        return
    rows: list[tuple[object, ...]] = [
        (name, value) for name, value in document(run).items() if name not in ("params", "tags", "metrics")
    ]
    rows += [(f"params.{key}", value) for key, value in sorted(run.params.items())]
    rows += [(f"tags.{key}", value) for key, value in sorted(run.tags.items())]
    for key in sorted(run.metrics):
        one = run.summary(key)
        rows.append(
            (
                f"metrics.{key}",
                f"{plain(one.last)} at step {one.last_step:,}; min {plain(one.min)}, max {plain(one.max)},"
                f" mean {plain(one.mean)}; {one.count:,} points",
            )
        )
    rows += [(f"problem {one['reason']}", one["message"]) for one in problems]
    print_rows(["what", "value"], rows)


@app.command()
def diff(
    one: Annotated[str, typer.Argument(help="A run's id.")],
    other: Annotated[str, typer.Argument(help="Another's.")],
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show in which params, tags and metrics two runs differ.

    Example: fleetlog runs diff RUN_ID RUN_ID
    """
    client = Client(target, namespace)
    left, right = client.get_run(one), client.get_run(other)
    rows = []
    for group in ("params", "tags", "metrics"):
        mine, theirs = getattr(left, group), getattr(right, group)
        for key in sorted({*mine, *theirs}):
            if repr(mine.get(key)) != repr(theirs.get(key)):
                rows.append((f"{group}.{key}", mine.get(key), theirs.get(key)))
    if as_json:
        print_json([{"what": what, "one": a, "other": b} for what, a, b in rows])
        return
    print_rows(["what", left.name or left.id, right.name or right.id], rows)
