"""fleetlog metrics: show."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetlog.cli.chart import chart
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, print_rows, width
from fleetlog.client import Client
from fleetlog.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="Look at metrics.")


@app.callback()
def group() -> None:
    """Look at metrics."""


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="32 hexadecimal digits.")],
    keys: Annotated[list[str], typer.Argument(help="Metrics.")],
    points: Annotated[bool, typer.Option("--points", help="Print the points instead of drawing them.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Draw metrics of a run in the terminal.

    Example: fleetlog metrics show 0190a3b4c5d67e8f9a0b1c2d3e4f5061 val_loss
    """
    client = Client(target, namespace)
    run = client.get_run(run_id)
    for key in keys:
        if key not in run.metrics:
            raise NotFound(
                "METRIC_NOT_FOUND", f"the run has no metric {key!r}: it has {', '.join(run.metrics) or 'none'}"
            )
    if as_json or points:
        rows = []
        for key in keys:
            series = run.metric(key)
            rows += [
                (key, int(step), int(time), float(value))
                for step, time, value in zip(series.steps, series.times, series.values, strict=True)
            ]
        if as_json:
            print_json([{"key": k, "step": s, "time_millis": t, "value": v} for k, s, t, v in rows])
        else:
            print_rows(["key", "step", "time_millis", "value"], rows)
        return
    wide = width()
    for key in keys:
        buckets = run.buckets(key, 2 * wide)
        one = run.summary(key)
        title = f"{key}   last {one.last:.6g} at step {one.last_step:,}   min {one.min:.6g}   {one.count:,} points"
        print(chart(title, buckets.steps.tolist(), buckets.mins.tolist(), buckets.maxs.tolist(), wide))
