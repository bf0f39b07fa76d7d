"""fleetlog artifacts: ls, get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from fleetlog.cli.branches import BranchOption, branch_of
from fleetlog.cli.context import AsJson, AsOf, Namespace, RunId, Target
from fleetlog.cli.output import on_terminal, print_json, print_rows, say
from fleetlog.cli.run_ids import find_run
from fleetlog.client import Client

app = typer.Typer(no_args_is_help=True, help="The files of runs.")


@app.command("ls")
def list_(
    run_id: RunId,
    path: Annotated[str, typer.Argument(help="Only this file, or what is below this folder.")] = "",
    branch: BranchOption = None,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """List the files of a run.

    For example:

    fleetlog artifacts ls 0190a3b4 checkpoints

    fleetlog artifacts ls 0190a3b4 --as-of 3d
    """
    client = Client(target, namespace)
    files = client.list_artifacts(find_run(client, run_id), path.strip("/"), branch=branch_of(branch), as_of=as_of)
    if as_json:
        names = ("path", "size_bytes", "sha256", "time")
        print_json([{name: getattr(one, name) for name in names} for one in files])
        return
    if not files and on_terminal():
        say("the run has no such files")
        return
    print_rows(
        ["path", "size_bytes", "time", "sha256"],
        [(one.path, one.size_bytes, one.time, one.sha256) for one in files],
        titles=["path", "bytes", "logged", "sha256"],
    )


@app.command()
def get(
    run_id: RunId,
    path: Annotated[str, typer.Argument(help="A file, or a folder with all below it; left out = everything.")] = "",
    to: Annotated[Path, typer.Option(help="Folder to write to; files keep their paths below it.")] = Path(),
    threads: Annotated[int, typer.Option(min=1, max=32, help="Files that are downloaded at a time.")] = 4,
    branch: BranchOption = None,
    as_of: AsOf = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Download files of a run, verified by their digests. What is there already is not downloaded again.

    For example:

    fleetlog artifacts get 0190a3b4 model.pt

    fleetlog artifacts get 0190a3b4 checkpoints --to ./copies
    """
    client = Client(target, namespace)
    whole = find_run(client, run_id)
    console = Console(stderr=True)
    parts = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*parts, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("downloading", total=None)
        written = client.download_artifacts(
            whole, path or None, to, branch=branch_of(branch), as_of=as_of, threads=threads,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )  # fmt: skip
    if as_json:
        print_json([str(one) for one in written])
        return
    print_rows(["path"], [(str(one),) for one in written], fold=True)
