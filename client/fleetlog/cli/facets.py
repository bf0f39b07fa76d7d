"""fleetlog keys, fleetlog values: what there is to search for."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from fleetlog._views.facets import Kind
from fleetlog.cli.context import AsJson, AsOf, Namespace, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.client import Client

Experiments = Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")]
Contains = Annotated[str, typer.Option(help="Only those that hold this text, in any case.")]


def keys(
    where: Annotated[str, typer.Argument(help="Of the runs that match; see docs/filter.md; empty = all.")] = "",
    experiment: Experiments = None,
    kind: Annotated[str, typer.Option(help="params, tags or metrics; empty = all three.")] = "",
    contains: Contains = "",
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List the metrics, params and tags that runs have: how many runs, how many numbers, and their range.

    For example:

    fleetlog keys -e speedrun --kind metrics

    fleetlog keys "state = 'FAILED'" --contains loss
    """
    found = Client(target, namespace).keys(
        where, experiments=experiment or (), kind=cast(Kind, kind), contains=contains, as_of=as_of
    )
    if as_json:
        print_json([vars(one) for one in found])
        return
    if not found and on_terminal():
        say("no run that matches has such a key")
        return
    rows = [(one.name, one.runs, one.numeric_runs, one.min, one.max) for one in found]
    print_rows(["key", "runs", "numbers", "min", "max"], rows)


def values(
    key: Annotated[str, typer.Argument(help="Such as params.lr, tags.team or user.")],
    where: Annotated[str, typer.Argument(help="Of the runs that match; see docs/filter.md; empty = all.")] = "",
    experiment: Experiments = None,
    contains: Contains = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 20,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List the values of a param, a tag or an attribute, those that most runs have first.

    For example:

    fleetlog values params.num_iterations -e speedrun

    fleetlog values user "metrics.val_loss <= 3.28"
    """
    client = Client(target, namespace)
    found = client.values(key, where, experiments=experiment or (), contains=contains, limit=limit, as_of=as_of)
    if as_json:
        print_json([vars(one) for one in found])
        return
    if not found and on_terminal():
        say(f"no run that matches has {key}")
        return
    print_rows(["value", "runs"], [(one.value, one.runs) for one in found])
    if len(found) == limit and on_terminal():
        say(f"the first {limit}: --limit shows more")
