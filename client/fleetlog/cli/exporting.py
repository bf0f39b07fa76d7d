"""fleetlog runs export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from fleetlog._imports.run_files import COLUMNS, WRITERS, FileForm, RunRows
from fleetlog.cli.branches import Superseded, view_of
from fleetlog.cli.columns import asked
from fleetlog.cli.context import AsOf, Namespace, Target
from fleetlog.cli.output import say
from fleetlog.client import Client

_FORMS: dict[str, FileForm] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


class Form(StrEnum):
    """The form of the file."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


def export(
    filter: Annotated[str, typer.Argument(help="See docs/filter.md; empty = all.")] = "",  # noqa: A002
    experiment: Annotated[list[str] | None, typer.Option("--experiment", "-e", help="Name; may be repeated.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; left out = standard output.")] = None,
    form: Annotated[Form | None, typer.Option("--format", help="Default: by the suffix of the file, or csv.")] = None,
    columns: Annotated[str, typer.Option(help="By comma, such as run_id,params.lr; default: all there are.")] = "",
    order_by: Annotated[list[str] | None, typer.Option(help="Such as 'metrics.val_loss ASC'; may be repeated.")] = None,
    superseded: Superseded = False,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
) -> None:
    """Write all runs of a search to a file, a row each, however many: CSV, JSON lines or Parquet.

    Columns are run_id, name, state, … and params.KEY, metrics.KEY (the last value) and tags.KEY: what
    `fleetlog runs import` reads. Nothing is rounded; times are in UTC.

    For example:

    fleetlog runs export -e speedrun -o speedrun.csv

    fleetlog runs export "metrics.val_loss < 3.28" --columns run_id,params.lr,metrics.val_loss --format jsonl
    """
    known = form.value if form is not None else _form_of(output)
    wanted = asked(columns)
    if unknown := [name for name in wanted if "." not in name and name not in COLUMNS]:
        raise typer.BadParameter(
            f"{unknown[0]!r} can't be exported: there are {', '.join(COLUMNS)}", param_hint="--columns"
        )
    client = Client(target, namespace)
    experiments = experiment or ()
    deleted = view_of(superseded)
    keys = [] if wanted else client.keys(filter, experiments=experiments, deleted=deleted)
    runs = client.stream_runs(
        filter, experiments=experiments, order_by=order_by or (), as_of=as_of, read_mask=_mask(wanted), deleted=deleted
    )
    rows = RunRows(wanted, keys)
    console = Console(stderr=True)
    with (
        _opened(output) as file,
        Progress(
            TextColumn("{task.completed:,.0f} runs"), TimeElapsedColumn(), console=console,
            disable=output is None or not console.is_terminal,
        ) as progress,
    ):  # fmt: skip
        task = progress.add_task("exporting", total=None)
        count = WRITERS[known](rows, runs, file, lambda done: progress.update(task, completed=done))
    if rows.left_out:
        say(f"{rows.left_out:,} values of keys that came while this was written are left out; export again for them")
    if output is not None:
        say(f"{count:,} runs written to {output}")


def _form_of(output: Path | None) -> FileForm:
    if output is None:
        return "csv"
    try:
        return _FORMS[output.suffix.lower()]
    except KeyError:
        raise typer.BadParameter(
            f"{output.name!r} ends in none of {', '.join(_FORMS)}: give --format", param_hint="--output"
        ) from None


def _mask(columns: list[str]) -> list[str]:
    """What is read of each run; empty = everything."""
    if not columns:
        return []
    groups = [name.replace(".", ".`", 1) + "`" for name in columns if "." in name]
    return ["attributes", *groups]


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """The file, which shows under its name when it is whole; or standard output."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise typer.BadParameter(f"{output}: {error.strerror}", param_hint="--output") from None
    finally:
        part.unlink(missing_ok=True)
