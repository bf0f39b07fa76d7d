"""Load the runs of the GPT-2 speedrun into fleetlog.

    python examples/nanogpt_speedrun/load.py
    python examples/nanogpt_speedrun/load.py my-logs/ --target localhost:7460
    python examples/nanogpt_speedrun/load.py logs.tar.xz --experiment mine

Every value of every line becomes a point, texts become tags; params and env of runs.jsonl become params and tags.
Ids are made from the experiment and the path of each log, so that a second run adds nothing and one that was broken
off goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import fleetlog
from fleetlog_core.ids import new_run_id
from fleetlog_core.rules.names import check_tags
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from speedrun_log import RunLog, parse_log

ARCHIVE = Path(__file__).resolve().parent / "nanogpt-speedrun.tar.xz"
DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True)
class Source:
    """One log, and what runs.jsonl says of it."""

    path: Path
    name: str
    """Path within the archive or folder, with forward slashes: within an experiment the identity of the run."""
    about: dict[str, Any]

    @property
    def start_millis(self) -> int:
        """Midnight UTC of the first date in the path; 2024-01-01 when there is none."""
        match = DATE.search(self.name)
        year, month, day = map(int, match.groups()) if match else (2024, 1, 1)
        try:
            return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            return int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)

    def run_id(self, experiment: str) -> str:
        """Id of the run, made of its date, its path and the experiment: another load of it gives it again."""
        identity = f"{experiment}\0{self.name}".encode()
        return new_run_id(self.start_millis, hashlib.sha256(identity).digest()).hex()


@dataclass
class Report:
    """What was done."""

    runs: int = 0
    skipped: int = 0
    refused: int = 0
    lines: int = 0
    strange_lines: int = 0
    points: int = 0
    seconds: float = 0.0


def sources(folder: Path) -> list[Source]:
    """Every log below the folder, in order of path."""
    about: dict[str, dict[str, Any]] = {}
    index = folder / "runs.jsonl"
    if index.is_file():
        for number, line in enumerate(index.read_text(encoding="utf-8").split("\n"), 1):
            if line.strip():
                try:
                    entry = json.loads(line)
                    about[str(entry["log"])] = entry
                except (ValueError, KeyError, TypeError):
                    print(f"load: line {number} of runs.jsonl is no JSON object with a log; left out", file=sys.stderr)
    found = []
    for path in sorted(path for path in folder.rglob("*.log") if path.is_file()):
        # Names that are not UTF-8 are shown as bytes: one such file must not keep out the others.
        name = path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
        found.append(Source(path, name, about.pop(name, {})))
    for name in about:
        print(f"load: {name} is named in runs.jsonl, and is not there", file=sys.stderr)
    return found


def unpacked(given: Path, scratch: Path) -> Path:
    """The folder with the logs: the one given, or the archive's content."""
    if given.is_dir():
        return given
    with tarfile.open(given) as archive:
        archive.extractall(scratch, filter="data")
    return scratch


def lines_of(path: Path) -> Iterator[str]:
    """Lines of a log; bytes that are not UTF-8 are replaced."""
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def tags_of(source: Source, log: RunLog) -> dict[str, str]:
    """Tags: where the log is from, its environment, its texts and units; but none that fleetlog does not take."""
    tags = {str(key): str(value) for key, value in source.about.get("env", {}).items()}
    for key, value in source.about.items():
        if key not in ("params", "env") and value is not None:
            tags[key] = value if isinstance(value, str) else json.dumps(value)
    tags.setdefault("log", source.name)
    if log.planned_steps is not None:
        tags["planned_steps"] = str(log.planned_steps)
    tags.update({f"unit.{name}": unit for name, unit in log.units.items()})
    tags.update(log.texts)
    for key, text in list(tags.items()):
        try:
            check_tags({key: text}, "tag")
        except fleetlog.InvalidArgument as error:
            print(f"load: {source.name}: {error.message}", file=sys.stderr)
            del tags[key]
    return tags


def send(source: Source, log: RunLog, experiment: str, target: str | None) -> None:
    """Log one run; returns without waiting for the server."""
    start = source.start_millis
    run = fleetlog.start_run(
        experiment=experiment,
        name=str(source.about.get("run") or PurePosixPath(source.name).stem)[:500],
        params=source.about.get("params") or {},
        tags=tags_of(source, log),
        run_id=source.run_id(experiment),
        # The same bytes come from the same writer with the same sequences: sent twice, they show once.
        writer_id=hashlib.sha256(source.run_id(experiment).encode() + source.path.read_bytes()).hexdigest()[:32],
        start_time=start,
        target=target,
    )
    for name, series in log.series.items():
        times = [start + elapsed for elapsed in series.elapsed_millis]
        run.log_series(name, steps=series.steps, values=series.values, times=times)
    run.finish(end_time=start + log.elapsed_millis, wait=False)


def load(given: Path, experiment: str, target: str | None, console: Console) -> Report:
    """Load everything that is not there yet."""
    report = Report()
    client = fleetlog.Client(target)
    client.create_experiment(experiment, exist_ok=True)
    there = {
        run.id for run in client.search_runs(experiments=[experiment], read_mask=["attributes"], limit=None)
        if run.state == "FINISHED"
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        logs = sources(unpacked(given, Path(scratch)))
        begun = time.monotonic()
        columns = (
            TextColumn("loading"), BarColumn(), MofNCompleteColumn(),
            TextColumn("runs  {task.fields[points]:>11,} points"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("loading", total=len(logs), points=0)
            for source in logs:
                if source.run_id(experiment) in there:
                    report.skipped += 1
                else:
                    log = parse_log(lines_of(source.path))
                    report.lines += log.lines
                    report.strange_lines += log.strange_lines
                    try:
                        send(source, log, experiment, target)
                        report.runs += 1
                        report.points += log.points
                    except fleetlog.InvalidArgument as error:
                        print(f"load: {source.name} is not loaded: {error}", file=sys.stderr)
                        report.refused += 1
                progress.update(task, advance=1, points=report.points)
        client.flush(timeout=600, level="applied")
        report.seconds = time.monotonic() - begun
    return report


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path, default=ARCHIVE, metavar="ARCHIVE_OR_FOLDER")
    parser.add_argument("--target", help="host:port of fleetlog; default: $FLEETLOG_TARGET or localhost:7460")
    parser.add_argument("--experiment", default="speedrun", help="experiment to load into")
    options = parser.parse_args(arguments)
    if not options.archive.exists():
        print(f"load: {options.archive} is not there", file=sys.stderr)
        return 2
    console = Console(stderr=True)
    try:
        report = load(options.archive, options.experiment, options.target, console)
    except fleetlog.FleetlogError as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    except (OSError, tarfile.TarError) as error:
        print(f"load: {options.archive} can't be read: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("load: broken off; run it again to go on", file=sys.stderr)
        return 130
    rate = report.points / report.seconds if report.seconds else 0.0
    print(
        f"{report.runs:,} runs, {report.lines:,} lines, {report.points:,} points in {report.seconds:.1f} s"
        f" ({rate:,.0f} points/s, read, sent, durable and searchable); {report.skipped:,} runs were there already"
    )
    if report.strange_lines:
        print(f"{report.strange_lines:,} lines do not begin with a step and were passed over")
    if report.refused:
        print(f"{report.refused:,} runs were refused", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
