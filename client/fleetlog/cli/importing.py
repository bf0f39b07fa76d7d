"""fleetlog runs import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from fleetlog_core.printable import printable
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fleetlog._imports.table_files import read_table, with_ids
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json
from fleetlog.client import Client


def import_(
    file: Annotated[
        Path, typer.Argument(help="A .csv, .tsv, .jsonl (also .gz) or .parquet file, a row or line for each run.")
    ],
    experiment: Annotated[str, typer.Option("--experiment", "-e", help="Where they go; made when it is not there.")],
    encoding: Annotated[str | None, typer.Option(help="Encoding of a CSV that is not UTF-8, such as cp1252.")] = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Bring runs here that were made elsewhere, thousands a second.

    Columns are params.KEY, metrics.KEY and tags.KEY, and run_id, name, user, state, start_time, end_time and
    parent_run_id, as far as there are any; docs/importing.md says more. The same file again adds nothing twice, so what
    broke off can be repeated.

    Example: fleetlog runs import sweep.csv -e sweeps
    """
    try:
        columns = with_ids(read_table(file, encoding), file, experiment)
        rows = len(next(iter(columns.values()), ()))
        parts = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"), TimeRemainingColumn())
        console = Console(stderr=True)
        with Progress(*parts, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("importing", total=rows)
            done = Client(target, namespace).import_runs(
                columns, experiment, on_progress=lambda count, _: progress.update(task, completed=count)
            )
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from None
    if as_json:
        left_out = [{"row": one.row, "column": one.column, "reason": one.reason} for one in done.left_out]
        print_json({"imported": done.imported, "existing": done.existing, "left_out": left_out})
        return
    kept = f", {done.existing:,} were there already" if done.existing else ""
    print(f"{done.imported:,} runs imported into {printable(experiment)}{kept}")
