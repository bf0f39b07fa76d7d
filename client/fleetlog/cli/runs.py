"""fleetlog runs: search, get, diff; the others are beside it."""

from __future__ import annotations

import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from fleetlog_core.printable import printable_lines

from fleetlog._values.params import Value
from fleetlog.cli.branches import BranchOption, Superseded, branch_of, view_of
from fleetlog.cli.columns import asked, document, unasked, value_of
from fleetlog.cli.context import AsJson, AsOf, Namespace, RunId, RunIds, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.cli.run_ids import find_run, find_runs
from fleetlog.client import Client
from fleetlog.errors import NotFound

SIDE_BY_SIDE = 4
"""More runs than this are lines of a terminal rather than columns."""
app = typer.Typer(no_args_is_help=True, help="Find runs, look at them, compare, change and export them.")


@app.command()
def search(
    filter: Annotated[str, typer.Argument(help="See docs/filter.md; empty = all.")] = "",  # noqa: A002
    experiment: Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    order_by: Annotated[list[str] | None, typer.Option(help="Such as 'metrics.val_loss ASC'; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 20,
    columns: Annotated[str, typer.Option(help="By comma, such as name,params.lr,metrics.val_loss,duration.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say what would be read, and search nothing.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="Runs that are deleted, no other runs.")] = False,
    superseded: Superseded = False,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Find runs.

    Example: fleetlog runs search "metrics.val_loss <= 3.28" -e speedrun --order-by "metrics.train_time ASC"
    """
    names = asked(columns)
    client = Client(target, namespace)
    if explain:
        said = client.explain_search(filter, order_by=order_by or (), as_of=as_of)
        if as_json:
            print_json({"lines": list(said.lines), "reads_points": said.reads_points})
        else:
            print(printable_lines(str(said)))
        return
    try:
        found = client.search_runs(
            filter, experiments=experiment or (), order_by=order_by or (), limit=limit, as_of=as_of,
            deleted=view_of(superseded, deleted),
        )  # fmt: skip
    except NotFound as error:
        raise NotFound(error.reason, f"{error}: {_experiments_there_are(client)}") from None
    if as_json:
        print_json([document(run) for run in found])
        return
    default = not names
    if default:
        head = ["name", "state", "start_time", "duration"]
        if len(experiment or ()) != 1:
            head.insert(1, "experiment")
        # What was asked about comes before what every run has: it is the last to be left out.
        names = ["name", *unasked(found, [filter, *(order_by or ())]), *head[1:]]
    by_id = {one.id: one.name for one in client.experiments(deleted="all")} if "experiment" in names else {}
    if "run_id" not in names:
        names.insert(0, "run_id")
    if not found and on_terminal():
        say("no run matches")
        return
    short = {"start_time": "started", "end_time": "ended", "duration": "took"}
    titles = [short.get(name, name.removeprefix("metrics.") if default else name) for name in names]
    print_rows(names, [[value_of(run, name, by_id) for name in names] for run in found], titles=titles)
    if len(found) == limit and on_terminal():
        say(f"the first {limit}: --limit shows more")


def _experiments_there_are(client: Client) -> str:
    names = [one.name for one in client.experiments()]
    return "there are " + ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


@app.command()
def get(
    run_id: RunId,
    branch: BranchOption = None,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of a run.

    Example: fleetlog runs get 0190a3b4
    """
    client = Client(target, namespace)
    run = client.get_run(find_run(client, run_id), branch=branch_of(branch), as_of=as_of)
    names = {one.id: one.name for one in client.experiments(deleted="all")}
    about = document(run, names)
    problems = [{"reason": one.reason, "message": one.message, "points": one.points} for one in run.problems]
    if as_json:
        whole = {key: vars(run.summary(key)) for key in run.metrics}
        print_json({**about, "summaries": whole, "problems": problems})
        return
    rows: list[tuple[str, object]] = [
        (name, value)
        for name, value in about.items()
        if name not in ("params", "tags", "metrics", "datasets") and value not in (None, "")
    ]
    rows.append(("duration", run.duration))
    rows += [(f"params.{key}", value) for key, value in sorted(run.params.items())]
    rows += [(f"tags.{key}", value) for key, value in sorted(run.tags.items())]
    rows += [
        (f"dataset {one.name}", " · ".join(filter(None, [one.context, one.digest, one.source]))) for one in run.datasets
    ]
    rows += [(f"problem {one['reason']}", f"{one['message']} ({one['points']} points)") for one in problems]
    summaries = [(key, run.summary(key)) for key in sorted(run.metrics)]
    if not on_terminal():
        for key, one in summaries:
            rows += [(f"metrics.{key}", one.last)]
            rows += [(f"metrics.{key}.{name}", getattr(one, name)) for name in ("last_step", "min", "max", "mean")]
            rows += [(f"metrics.{key}.count", one.count)]
        print_rows(["what", "value"], rows)
        return
    # A document shows moments, not how long ago they were.
    shown = [(what, f"{value:%F %T} UTC" if isinstance(value, datetime) else value) for what, value in rows]
    print_rows(["what", "value"], [row for row in shown if row[1] is not None], fold=True, titles=["", ""])
    if summaries:
        print()
        print_rows(
            ["metric", "last", "step", "min", "max", "mean", "points"],
            [(key, one.last, one.last_step, one.min, one.max, one.mean, one.count) for key, one in summaries],
        )


class Number(StrEnum):
    """Which number of a metric."""

    last = "last"
    min = "min"
    max = "max"
    mean = "mean"
    first = "first"


@app.command()
def diff(
    run_ids: RunIds,
    of: Annotated[Number, typer.Option(help="Which number of each metric.")] = Number.last,
    everything: Annotated[bool, typer.Option("--all", help="Metrics that are the same as well.")] = False,
    branch: BranchOption = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Show in which params, tags and metrics runs differ.

    Example: fleetlog runs diff 0190a3b4 0190a3b5 --of min
    """
    if len(run_ids) < 2:
        raise typer.BadParameter("give two runs or more", param_hint="RUN_IDS")
    client = Client(target, namespace)
    found = client.compare(find_runs(client, run_ids), of=of.value, branch=branch_of(branch))
    rows: dict[str, list[Value | None]] = found.differences
    if everything:
        rows |= {f"metrics.{key}": list(values) for key, values in found.metrics.items()}
    ids = [run.id for run in found.runs]
    if as_json:
        print_json([{"what": what, "values": dict(zip(ids, values, strict=True))} for what, values in rows.items()])
        return
    if not rows and on_terminal():
        say(f"they have the same params, tags and {of.value} values of metrics")
        return
    names = [run.name for run in found.runs]
    heads = names if all(names) and len(set(names)) == len(names) else ids
    if len(ids) > SIDE_BY_SIDE and on_terminal():
        # A line for each run.
        columns = [[run.id, *[values[place] for values in rows.values()]] for place, run in enumerate(found.runs)]
        print_rows(["run_id", *rows], columns)
    elif len(ids) > 2:
        print_rows(["what", *ids], [(what, *values) for what, values in rows.items()], fold=True, titles=["", *heads])
    else:
        changes = [(what, a, b, _change(a, b)) for what, (a, b) in rows.items()]
        print_rows(["what", *ids, "change"], changes, fold=True, titles=["", *heads, "change"])


def _change(before: object, after: object) -> str | None:
    """By how much a number differs, in percent."""
    if isinstance(before, bool) or isinstance(after, bool):
        return None
    if not isinstance(before, (int, float)) or not isinstance(after, (int, float)) or not before:
        return None
    percent = 100 * (after - before) / abs(before)
    return f"{percent:+.3g} %" if math.isfinite(percent) else None
