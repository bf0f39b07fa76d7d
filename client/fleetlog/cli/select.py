"""fleetlog select: the best runs or groups of runs, and why."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from fleetlog._views.selection import Group, Mode, Selection, Statistic, objectives_of
from fleetlog.cli.columns import document
from fleetlog.cli.context import AsJson, AsOf, Namespace, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.client import Client

Texts = list[str] | None


def select(
    filter: Annotated[str, typer.Argument(help="Constraints; see docs/filter.md; empty = all runs.")] = "",  # noqa: A002
    experiment: Annotated[Texts, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    minimize: Annotated[Texts, typer.Option(help="What is to be small; may be repeated.")] = None,
    maximize: Annotated[Texts, typer.Option(help="What is to be large; may be repeated.")] = None,
    objective: Annotated[
        Texts, typer.Option(help="'VALUE ASC' or 'VALUE DESC', and a weight if you like; comes before the two above.")
    ] = None,
    mode: Annotated[
        str, typer.Option(help="Of several objectives: lexicographic, weighted or pareto.")
    ] = "lexicographic",
    group_by: Annotated[
        Texts, typer.Option(help="Such as params.lr; may be repeated. Runs with the same are one.")
    ] = None,
    min_count: Annotated[int, typer.Option(min=1, help="How many runs a group has at least.")] = 1,
    statistic: Annotated[str, typer.Option(help="What stands for a group: mean, median, best or worst.")] = "mean",
    confidence: Annotated[float, typer.Option(help="Of the interval of a group's mean.")] = 0.95,
    artifact: Annotated[str, typer.Option(help="Only runs with an artifact of this path, or below it.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 10,
    runs: Annotated[int, typer.Option(min=1, help="How many runs of each group --json names.")] = 1,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Choose the best runs, or the best groups of runs such as the seeds of one setting, and say why.

    For example:

    fleetlog select "metrics.val_loss <= 3.28" -e speedrun --minimize metrics.train_time

    fleetlog select -e sweep --minimize "min(metrics.val_loss)" --group-by params.lr --min-count 3

    fleetlog select --objective "metrics.val_loss ASC" --objective "metrics.accuracy DESC" --mode pareto
    """
    objectives = objectives_of(minimize, maximize, objective or ())
    if not objectives:
        raise typer.BadParameter("say what is good, for example --minimize metrics.val_loss", param_hint="--minimize")
    found = Client(target, namespace).select(
        filter, experiments=experiment or (), objectives=objectives, mode=cast(Mode, mode), group_by=group_by or (),
        min_count=min_count, statistic=cast(Statistic, statistic), confidence=confidence, artifact=artifact,
        limit=limit, runs_per_group=runs if as_json else 1, as_of=as_of,
    )  # fmt: skip
    if as_json:
        print_json(_document(found))
        return
    if not on_terminal():
        rows = found.rows()
        names = list(rows[0]) if rows else ["rank", *(one.value for one in objectives), "run_id", "name"]
        print_rows(names, [list(row.values()) for row in rows])
        return
    if found:
        print_rows(*_table(found, confidence))
    say(found.why())


def _table(found: Selection, confidence: float) -> tuple[list[str], list[list[object]]]:
    """What a person looks at first comes first."""
    first = found[0]
    heads = ["rank"] + ["front"] * (first.front is not None) + ["score"] * (first.score is not None)
    heads += [*first.values, *(["runs"] if first.values else [])]
    for name in first.objectives:
        heads.append(name)
        if first.values:
            heads += ["std", f"{confidence * 100:g} % from", "to"]
    heads += ["best run", "run_id"] if first.values else ["name", "run_id"]
    return heads, [_cells(group) for group in found]


def _cells(group: Group) -> list[object]:
    cells: list[object] = [group.rank]
    cells += [one for one in (group.front, group.score) if one is not None]
    cells += [*group.values.values(), *([group.count] if group.values else [])]
    for stats in group.objectives.values():
        cells.append(stats.value)
        if group.values:
            cells += [stats.std, stats.confidence_low, stats.confidence_high]
    return [*cells, group.run.name, group.run.id]


def _document(found: Selection) -> dict[str, Any]:
    groups = [
        {
            "rank": group.rank, "front": group.front, "score": group.score, "values": group.values,
            "count": group.count, "reason": group.reason,
            "objectives": {name: vars(stats) for name, stats in group.objectives.items()},
            "runs": [
                {**document(run), "objectives": values}
                for run, values in zip(group.runs, group.run_values, strict=True)
            ],
        }
        for group in found
    ]  # fmt: skip
    return {
        "groups": groups, "verdicts": [vars(one) for one in found.verdicts], "candidates": found.candidates,
        "compared": found.compared, "groups_compared": found.groups_compared,
    }  # fmt: skip
