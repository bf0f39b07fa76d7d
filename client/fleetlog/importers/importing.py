"""An import in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleetlog.client import Client
from fleetlog.importers.opening import open_source
from fleetlog.importers.report import Report
from fleetlog.importers.writer import ImportWriter, Progress


def import_from(
    kind: str,
    place: str | Path,
    *,
    client: Client | None = None,
    experiment: str | None = None,
    since: int | None = None,
    jobs: int = 4,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Report:
    """Bring the runs of another tracker here, whole. Again, it brings what is new alone.

    Args:
        kind: Kind of the source, such as "mlflow".
        place: Folder, file or URI of the source.
        client: Where the runs go; None = fleetlog.Client().
        experiment: Experiment that all runs go to; None = those that they are in at the source.
        since: Unix milliseconds: only runs that started or changed then or later; None = all.
        jobs: Files that are uploaded at once.
        on_progress: Is told how far it is.
        **options: What the kind of source takes, such as `artifacts` of MLflow's.

    Returns:
        Report: what came, and what could not come and why. An import that could not bring everything raises nothing.

    Raises:
        SourceError: Nothing of the source can be read.
        FleetlogError: The server takes nothing. What it has stays; import again.

    """
    source = open_source(kind, place, **options)
    writer = ImportWriter(
        client or Client(), source, experiment=experiment, since=since, jobs=jobs, on_progress=on_progress
    )
    return writer.run()
