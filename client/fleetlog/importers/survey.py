"""What a source has, read whole and sent nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fleetlog.importers.report import Report
from fleetlog.importers.source import Source
from fleetlog.importers.source_models import ModelSource


@dataclass(slots=True)
class Survey:
    """Counts of what a source has."""

    experiments: set[str] = field(default_factory=set)
    report: Report = field(default_factory=Report)
    """What an import would bring."""


def survey(source: Source, since: int | None = None, on_run: Callable[[Report], None] | None = None) -> Survey:
    """Returns what an import would bring, and what it would leave out. SourceError."""
    found = Survey({one.name for one in source.experiments()})
    report = found.report
    for run in source.runs(since):
        found.experiments.add(run.experiment)
        report.runs += 1
        report.points += sum(len(piece.steps) for piece in run.points())
        for file in run.files():
            report.files += 1
            report.file_bytes += _size(file.size, file.local)
        if on_run is not None:
            on_run(report)
    if isinstance(source, ModelSource):
        report.logged_models = sum(1 for _ in source.logged_models())
        for model in source.registered_models():
            report.models += 1
            report.versions += len(model.versions)
    report.experiments = len(found.experiments)
    report.new_runs = report.runs
    report.add(list(source.unread()))
    return found


def _size(size: int | None, local: Path | None) -> int:
    if size is None and local is not None:
        try:
            return local.stat().st_size
        except OSError:
            return 0
    return size or 0
