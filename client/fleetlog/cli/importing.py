"""fleetlog runs import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from fleetlog_core.printable import printable
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fleetlog._imports.foreign_headers import ForeignHeader
from fleetlog._imports.run_tables import RunTable
from fleetlog._imports.table_files import read_table, with_ids
from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, say
from fleetlog.client import Client


def import_(
    file: Annotated[
        Path, typer.Argument(help="A .csv, .tsv, .jsonl (also .gz) or .parquet file, a row or line for each run.")
    ],
    experiment: Annotated[str, typer.Option("--experiment", "-e", help="Where they go; made when it is not there.")],
    encoding: Annotated[str | None, typer.Option(help="Encoding of a CSV that is not UTF-8, such as cp1252.")] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="COLUMN:TARGET, such as lr:params.lr, or COLUMN:- to leave it out; may be repeated."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what columns are read as, send nothing.")] = False,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Bring runs here that were made elsewhere, thousands a second.

    Columns are params.KEY, metrics.KEY and tags.KEY, and run_id, name, user, state, start_time, end_time and
    parent_run_id, as far as there are any; docs/importing.md says more. Of a table that W&B or MLflow's page wrote it
    is said what each column is taken for, before anything is sent; --map says it otherwise. The same file again adds
    nothing twice, so what broke off can be repeated.

    Example: fleetlog runs import sweep.csv -e sweeps
    """
    try:
        header = ForeignHeader.of(mapped or [])
        table = read_table(file, encoding, header)
        if header.names:
            say(f"columns: {header.in_words()}")
        columns = with_ids(table, file, experiment)
        rows = len(next(iter(columns.values()), ()))
        if dry_run:
            RunTable(columns)
            print(f"{rows:,} runs would be imported into {printable(experiment)}")
            return
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
