"""fleetlog metrics: show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from fleetlog_core.printable import printable

from fleetlog._views.series import Axis, Buckets, Series, Time, Which
from fleetlog._views.views import RunView
from fleetlog.cli.branches import BranchOption, branch_of
from fleetlog.cli.chart import chart
from fleetlog.cli.context import AsJson, Namespace, RunId, Target
from fleetlog.cli.output import print_json, print_rows, width
from fleetlog.cli.run_ids import find_runs
from fleetlog.cli.words import lasting, span
from fleetlog.client import Client
from fleetlog.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="Look at metrics.")


class Along(StrEnum):
    """What a chart's axis is."""

    step = "step"
    time = "time"
    relative = "relative"


@app.callback()
def group() -> None:
    """Look at metrics."""


@app.command()
def show(
    run_id: RunId,
    keys: Annotated[list[str], typer.Argument(help="Metrics.")],
    runs: Annotated[list[str] | None, typer.Option("--run", help="Another run as well; may be repeated.")] = None,
    points: Annotated[bool, typer.Option("--points", help="Print the points instead of drawing them.")] = False,
    last: Annotated[int | None, typer.Option(min=1, help="Print the last so many points of each series.")] = None,
    buckets: Annotated[int | None, typer.Option(min=1, max=10_000, help="Print so many buckets at the most.")] = None,
    along: Annotated[Along, typer.Option("--x", help="relative: since the start of the run.")] = Along.step,
    from_step: Annotated[int | None, typer.Option(help="First step.")] = None,
    to_step: Annotated[int | None, typer.Option(help="Last step.")] = None,
    since: Annotated[str | None, typer.Option(help="First time: 2026-01-31T12:00Z; with --x relative: 1h30m.")] = None,
    until: Annotated[str | None, typer.Option(help="Last time.")] = None,
    rank: Annotated[list[int] | None, typer.Option(help="Only of writers of this rank; may be repeated.")] = None,
    per_rank: Annotated[bool, typer.Option("--per-rank", help="Each rank by itself.")] = False,
    branch: BranchOption = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Draw metrics of a run in the terminal.

    Example: fleetlog metrics show 0190a3b4 val_loss
    """
    if last and buckets:
        raise typer.BadParameter("give one of --last and --buckets", param_hint="--buckets")
    client = Client(target, namespace)
    of_branch = branch_of(branch)
    named = dict.fromkeys(find_runs(client, [run_id, *(runs or ())]))
    found = [client.get_run(one, branch=of_branch) for one in named]
    _check_keys(found, keys)
    ids = [run.id for run in found]
    axis: Axis = along.value
    which = Which(
        axis=axis, min_step=from_step, max_step=to_step, min_time=_time(since, axis, "--since"),
        max_time=_time(until, axis, "--until"), ranks=rank or (),
    )  # fmt: skip
    if buckets:
        curves = client.read_curves(ids, keys, buckets, per_rank=per_rank, **which)
        heads = ["step" if axis == "step" else "time_millis", "count", "nans", "min", "max", "mean"]
        _print(heads, [(one, _rows_of_buckets(one)) for one in curves], len(ids) > 1, as_json)
    elif points or last or as_json:
        series = client.read_series(ids, keys, last=last, per_rank=per_rank, **which)
        _print(["step", "time_millis", "value"], [(one, _rows_of_points(one)) for one in series], len(ids) > 1, as_json)
    else:
        said, unit = _SAID[axis]
        for curve in client.read_curves(ids, keys, 2 * width(), per_rank=per_rank, **which):
            run = found[ids.index(curve.run_id)]
            lows, highs = curve.mins.tolist(), curve.maxs.tolist()
            print(chart(_title(run, curve, len(ids) > 1), curve.steps.tolist(), lows, highs, width(), 16, said, unit))


def _check_keys(runs: list[RunView], keys: list[str]) -> None:
    for key in keys:
        if not any(key in run.metrics for run in runs):
            have = ", ".join(sorted({name for run in runs for name in run.metrics})) or "none"
            what = f"the run has no metric {key!r}: it has" if len(runs) == 1 else f"no run has {key!r}: they have"
            raise NotFound("METRIC_NOT_FOUND", f"{what} {have}")


def _time(text: str | None, axis: Axis, option: str) -> Time | None:
    if text is None:
        return None
    if text.removeprefix("-").isdecimal():
        return int(text)
    try:
        if axis == "relative":
            return span(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        wanted = "a span such as 1h30m" if axis == "relative" else "a time such as 2026-01-31T12:00:00Z"
        raise typer.BadParameter(f"{text!r} is not {wanted}, nor milliseconds", param_hint=option) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _title(run: RunView, curve: Buckets, several: bool) -> str:
    one = run.summary(curve.key)
    whose = f"{run.name or run.id}: " if several else ""
    rank = "" if curve.rank is None else f" of rank {curve.rank}"
    return printable(
        f"{whose}{curve.key}{rank}   last {one.last:.6g} at step {one.last_step:,}   min {one.min:.6g}"
        f"   {one.count:,} points"
    )


def _moment(millis: float) -> str:
    return f"{datetime.fromtimestamp(millis / 1000, UTC):%F %T}"


_SAID: dict[Axis, tuple[Callable[[float], str], str]] = {
    "step": (lambda step: f"{step:,.0f}", "step "),
    "time": (_moment, ""),
    "relative": (lambda millis: lasting(timedelta(milliseconds=millis)), ""),
}


def _rows_of_points(series: Series) -> list[tuple[object, ...]]:
    columns = (series.steps, series.times, series.values)
    return list(zip(*[column.tolist() for column in columns], strict=True))


def _rows_of_buckets(curve: Buckets) -> list[tuple[object, ...]]:
    columns = (curve.steps, curve.counts, curve.nans, curve.mins, curve.maxs, curve.means)
    return list(zip(*[column.tolist() for column in columns], strict=True))


def _print(
    heads: list[str], series: list[tuple[Series | Buckets, list[tuple[object, ...]]]], several: bool, as_json: bool
) -> None:
    named = [*(["run_id"] if several else []), "key", *(["rank"] if any(o.rank is not None for o, _ in series) else [])]
    rows = [(*[getattr(one, name) for name in named], *row) for one, found in series for row in found]
    if as_json:
        print_json([dict(zip([*named, *heads], row, strict=True)) for row in rows])
    else:
        print_rows([*named, *heads], rows)
