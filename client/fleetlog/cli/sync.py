"""fleetlog sync."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from fleetlog_core.printable import printable
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fleetlog._delivery.redelivery import Redelivery
from fleetlog._delivery.redelivery_report import Report
from fleetlog._delivery.registry import wait_applied
from fleetlog._journal.folders import Folder, below, is_journal
from fleetlog._journal.left import Left, RunSummary
from fleetlog._journal.places import journal_root
from fleetlog._transport.connection import connection_to
from fleetlog.cli.context import AsJson
from fleetlog.cli.output import print_json, print_rows, say
from fleetlog.errors import FleetlogError

COLUMNS = ("journal", "run_id", "name", "experiment", "points", "events", "files", "age")
SHOWN_PROBLEMS = 20
"""Problems of one journal that are shown; all are in JSON."""


def sync(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A journal, or a folder of journals, also one that was copied here. Default: this user's journals.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what waits; deliver nothing.")] = False,
    target: Annotated[
        str | None, typer.Option(help="host:port; default: the server that each journal was written for.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds without an answer until it gives up.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Deliver what processes logged that ended before a server had all of it.

    Each process keeps a journal until the server has everything. What the server has already changes nothing, so this
    can be broken off and repeated. What it refuses for good, and what is damaged, is set aside beside the journal with
    the reason. The exit code is 0 when all was delivered, and 1 when something is left.

    Example: fleetlog sync --dry-run
    """
    root = folder or journal_root()
    if root is None:
        raise typer.BadParameter("journals are off here (FLEETLOG_JOURNAL): name a folder", param_hint="FOLDER")
    if folder is not None and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is no folder", param_hint="FOLDER")
    journals = _Journals([root] if is_journal(root) else list(below(root)))
    complete = _show(journals, as_json) if dry_run else _deliver(journals, target, timeout, as_json)
    if folder in journals.in_use:
        say(f"{folder} is in use: the process that writes it is alive, or another `fleetlog sync` delivers it")
        complete = False
    if journals.unreadable or not complete:
        raise typer.Exit(1)


class _Journals:
    """Folders, each locked while it is looked at, one after another."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self.in_use: list[Path] = []
        self.unreadable: list[Path] = []

    def __iter__(self) -> Iterator[Folder]:
        for path in self._paths:
            try:
                found = Folder.take(path)
            except FileNotFoundError:
                # Delivered by somebody else a moment ago.
                continue
            except OSError as error:
                say(f"{path} can't be opened: {error.strerror or error}")
                self.unreadable.append(path)
                continue
            if found is None:
                self.in_use.append(path)
                continue
            try:
                yield found
            finally:
                found.release()


def _show(journals: _Journals, as_json: bool) -> bool:
    """Print what waits; False when some of it is damaged."""
    now = time.time()
    shown: list[dict[str, object]] = []
    rows: list[tuple[object, ...]] = []
    is_good = True
    for one in journals:
        left = Left(one.path)
        runs = left.runs()
        for run in runs:
            age = _age(now - run.last_millis / 1000)
            rows.append((one.path.name, run.run_id, run.name, run.experiment, run.points, run.events, run.files, age))
        for damage in left.damages:
            is_good = False
            say(
                f"{damage.path}: {damage.lost_bytes:,} bytes from byte {damage.offset:,} on can't be read: {damage.why}"
            )
        shown.append(
            {
                "path": str(one.path),
                "target": "" if left.about is None else left.about.target,
                "runs": [_run_json(run, now) for run in runs],
                "damages": [
                    {"segment": one.path.name, "offset": one.offset, "bytes": one.lost_bytes, "why": one.why}
                    for one in left.damages
                ],
            }
        )
    if as_json:
        print_json({"journals": shown, "in_use": [str(path) for path in journals.in_use]})
    elif rows:
        print_rows(COLUMNS, rows)
    else:
        say("nothing waits")
    return is_good


def _run_json(run: RunSummary, now: float) -> dict[str, object]:
    return {
        "run_id": run.run_id, "namespace": run.namespace, "name": run.name, "experiment": run.experiment,
        "points": run.points, "events": run.events, "files": run.files,
        "age_seconds": round(now - run.last_millis / 1000, 1),
    }  # fmt: skip


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def _deliver(journals: _Journals, target: str | None, timeout: float, as_json: bool) -> bool:
    """Deliver what waits; False when something is left of it."""
    console = Console(stderr=True)
    parts = (TextColumn("delivering {task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    shown: list[dict[str, object]] = []
    points, files, runs, complete = 0, 0, set[bytes](), True
    with Progress(*parts, console=console, disable=not console.is_terminal) as progress:
        for one in journals:
            task = progress.add_task(printable(one.path.name), total=None)
            report, error = _deliver_one(one, target, timeout, progress, task)
            complete = complete and not error and not report.problems
            points, files, runs = points + report.points, files + report.files, runs | report.runs
            shown.append({"path": str(one.path), "error": error, **_report_json(report)})
            if not as_json:
                _say_problems(one.path, [*report.problems, *([error] if error else [])])
    if as_json:
        print_json({"journals": shown, "in_use": [str(path) for path in journals.in_use]})
    else:
        also = f" and {files:,} files" if files else ""
        print(f"{points:,} points{also} of {len(runs):,} runs delivered, from {len(shown):,} journals")
    return complete


def _say_problems(path: Path, lines: list[str]) -> None:
    for line in lines[-SHOWN_PROBLEMS:]:
        say(f"{path}: {line}")
    if (more := len(lines) - SHOWN_PROBLEMS) > 0:
        say(f"{path}: and {more:,} more; --json shows all")


def _report_json(report: Report) -> dict[str, object]:
    return {
        "runs": len(report.runs), "points": report.points, "files": report.files, "frames": report.frames,
        "set_aside_points": report.set_aside_points, "set_aside_frames": report.set_aside_frames,
        "refused_events": report.refused_events, "problems": report.problems,
    }  # fmt: skip


def _deliver_one(
    folder: Folder, target: str | None, timeout: float, progress: Progress, task: TaskID
) -> tuple[Report, str]:
    """What became of a journal, and the error that ended it; "" when none did."""
    report = Report()
    try:
        about = Left(folder.path).about
        connection = connection_to(target or (None if about is None else about.target))
        # Whether anybody is there at all is known at once.
        wait_applied(connection, min(timeout, 30.0))
        redelivery = Redelivery(folder, connection, timeout, lambda size: progress.advance(task, size))
        report = redelivery.report
        progress.update(task, total=redelivery.size)
        redelivery.run()
        progress.update(task, completed=progress.tasks[task].total or 0)
    except FleetlogError as error:
        return report, str(error)
    except OSError as error:
        return report, f"{error.filename or folder.path}: {error.strerror or error}"
    return report, ""
