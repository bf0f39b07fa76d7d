"""fleetlog export: whole runs as folders that other programs read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, say
from fleetlog.client import Client

SHOWN = 20
"""Maximum of items that are printed."""


class Into(StrEnum):
    """The form of the folder."""

    parquet = "parquet"
    mlruns = "mlruns"
    tensorboard = "tensorboard"


def export(
    filter: Annotated[str, typer.Argument(help="See docs/filter.md; empty = all.")] = "",  # noqa: A002
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder that is new or empty.")] = Path("export"),
    experiment: Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    to: Annotated[
        Into, typer.Option("--to", help="Parquet, MLflow's file store, or TensorBoard's event files.")
    ] = Into.parquet,
    no_files: Annotated[bool, typer.Option("--no-files", help="Leave the runs' files out.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Write whole runs to a folder: every point, params, tags, files, and (Parquet) what the log tells of them.

    Parquet is a folder a table, read by DuckDB, polars and pandas as it is; docs/export.md has the schema. What was
    written comes back by `fleetlog import fleetlog FOLDER`, or `fleetlog import mlflow FOLDER`.

    For example:

    fleetlog export -e speedrun -o speedrun

    fleetlog export "metrics.val_loss < 3.28" --to mlruns -o mlruns
    """
    try:
        from fleetlog import exporters
    except ImportError as error:
        raise typer.BadParameter(f"it needs {error.name}: pip install 'fleetlog[import]'", param_hint="--to") from None
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[runs]:,} runs"),
        TextColumn("{task.completed:,.0f} points"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("exporting", total=None, runs=0)

        def tell(so_far: exporters.Exported) -> None:
            progress.update(task, completed=so_far.points, runs=so_far.runs)

        done = exporters.export_runs(
            Client(target, namespace),
            output,
            filter,
            to=to.value,
            experiments=experiment or (),
            files=not no_files,
            on_progress=tell,
        )
    if as_json:
        print_json({"runs": done.runs, "points": done.points, "files": done.files, "left_out": done.left_out})
    else:
        print(f"{done.runs:,} runs, {done.points:,} points, {done.files:,} files written to {output}")
        for one in done.left_out[:SHOWN]:
            say(f"not written: {one}")
        if len(done.left_out) > SHOWN:
            say(f"not written: {len(done.left_out) - SHOWN:,} more; --json has all")
    if done.left_out:
        raise typer.Exit(1)
