"""fleetlog import: histories of other trackers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from fleetlog_core.printable import printable
from fleetlog_core.times import to_millis
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from fleetlog.cli.context import AsJson, Namespace, Target
from fleetlog.cli.output import print_json, say
from fleetlog.client import Client

if TYPE_CHECKING:
    from fleetlog.importers import Report, Source, Verification

SHOWN = 20
"""Maximum of items that are printed of each sort; --json has all."""


def import_(
    kind: Annotated[str, typer.Argument(help="mlflow, tensorboard, wandb, neptune, trackio, aim, table or fleetlog.")],
    source: Annotated[str, typer.Argument(help="Its folder, file or URI.")],
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Where all runs go; default: the source's experiments.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read it, count it, send nothing.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Then compare both sides, point by point.")] = False,
    since: Annotated[str | None, typer.Option(help="Only runs that started or changed since: 2026-01-31 …")] = None,
    follow: Annotated[
        float | None, typer.Option(min=1.0, help="Seconds between looks: go on until Ctrl-C, for a source that grows.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Files that are uploaded at once.")] = 4,
    artifacts: Annotated[
        Path | None,
        typer.Option(help="Folder with the files that an MLflow store names by URIs of a server or bucket."),
    ] = None,
    options: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="NAME=VALUE that this kind takes; may be repeated.")
    ] = None,
    target: Target = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Bring the runs of another tracker here, whole: every point with its step and time, params, tags, files, models.

    The same source again brings what is new alone, so an import that broke off is done again, and several may go on at
    once. What could not come is named, and makes the exit status 1.

    For example:

    fleetlog import mlflow ./mlruns

    fleetlog import mlflow sqlite:///mlflow.db --artifacts ./mlartifacts --verify

    fleetlog import mlflow https://mlflow.example.com --since 2026-01-01 --dry-run

    fleetlog import tensorboard ./logs --follow 30
    """
    try:
        from fleetlog import importers
    except ImportError as error:
        raise typer.BadParameter(f"it needs {error.name}: pip install 'fleetlog[import]'", param_hint="KIND") from None
    moment = _moment(since)
    try:
        given = {"artifacts": artifacts, **_given(options or [])}
        opened = importers.open_source(kind, source, **given)
        if dry_run:
            with _progress("reading") as tell:
                report = importers.survey(opened, moment, lambda so_far: tell(so_far.runs, so_far.points)).report
            _print(report, None, as_json, "would come")
            if not report.is_complete:
                raise typer.Exit(1)
            return
        if isinstance(opened, importers.DescribedSource):
            _show(opened.described())
        client = Client(target, namespace)

        def bring(source_: Source, since_: int | None) -> Report:
            with _progress("importing") as tell:
                writer = importers.ImportWriter(
                    client, source_, experiment=experiment, since=since_, jobs=jobs,
                    on_progress=lambda so_far: tell(so_far.runs, so_far.points), on_wait=say,
                )  # fmt: skip
                return writer.run()

        if follow is not None:
            for one in _followed(lambda: importers.open_source(kind, source, **given), bring, follow, moment):
                _print(one, None, as_json, "came")
        report = bring(opened, moment)
        compared = _verified(importers.verify, client, opened, moment) if verify else None
    except importers.SourceError as error:
        raise typer.BadParameter(str(error), param_hint="SOURCE") from None
    _print(report, compared, as_json, "came")
    if not report.is_complete or (compared is not None and not compared.is_same):
        raise typer.Exit(1)


def _show(lines: Iterator[str]) -> None:
    for line in itertools.islice(lines, SHOWN):
        say(printable(line))
    if next(lines, None) is not None:
        say("and further files: --dry-run has all of it")


def _followed(
    opens: Callable[[], Source], bring: Callable[[Source, int | None], Report], seconds: float, since: int | None
) -> Iterator[Report]:
    """Imports until Ctrl-C."""
    from fleetlog.importers import follow

    def wait() -> bool:
        time.sleep(seconds)
        return True

    return follow(opens, bring, wait, lambda: time.time_ns() // 1_000_000, since)


def _verified(verify: Callable[..., Verification], client: Client, source: Source, since: int | None) -> Verification:
    with _progress("comparing") as tell:
        return verify(client, source, since, lambda so_far: tell(so_far.runs, so_far.points))


def _moment(since: str | None) -> int | None:
    try:
        return None if since is None else to_millis(since)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None


def _given(options: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not name.isidentifier():
            raise typer.BadParameter(f"{option!r} is not NAME=VALUE", param_hint="--option")
        found[name] = value if sign else True
    return found


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A line with runs, points and points a second, on a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn(what), TextColumn("{task.fields[runs]:,} runs"), TextColumn("{task.completed:,.0f} points"),
        TextColumn("{task.fields[rate]:,.0f} points/s"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None, runs=0, rate=0.0)

        def tell(runs: int, points: int) -> None:
            seconds = progress.tasks[0].elapsed or 1.0
            progress.update(task, completed=points, runs=runs, rate=points / max(seconds, 0.001))

        yield tell


def _print(report: Report, compared: Verification | None, as_json: bool, verb: str) -> None:
    from fleetlog.importers.report import in_words

    if as_json:
        said = report.to_dict()
        if compared is not None:
            said["verified"] = {
                "is_same": compared.is_same, "runs": compared.runs, "series": compared.series,
                "points": compared.points, "files": compared.files,
                "differences": [{"where": one.where, "why": one.why} for one in compared.differences],
            }  # fmt: skip
        print_json(said)
        return
    models = f", {report.versions:,} versions of {report.models:,} models" if report.models else ""
    print(
        f"{report.runs:,} runs ({report.new_runs:,} new), {report.points:,} points, {report.files:,} files"
        f" ({report.file_bytes:,} bytes){models} {verb}"
    )
    if compared is not None:
        same = (
            "all the same" if compared.is_same else f"{len(compared.differences) + compared.more_differences:,} differ"
        )
        print(f"compared: {compared.runs:,} runs, {compared.series:,} series, {compared.points:,} points: {same}")
    for title, items in (
        ("did not come", report.faults),
        ("has no place here, or was changed to have one", report.notes),
        ("differs", [] if compared is None else compared.differences),
    ):
        for one in items[:SHOWN]:
            say(f"{title}: {in_words(one)}")
        if len(items) > SHOWN:
            say(f"{title}: {len(items) - SHOWN:,} more; --json has all")
    if report.more_faults:
        say(f"did not come: {report.more_faults:,} more")
