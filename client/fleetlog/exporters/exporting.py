"""An export in one call: runs of a search, whole, into a folder that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol, Self

from fleetlog._calls.base import Experiments
from fleetlog._views.views import Experiment, RunView
from fleetlog.client import Client
from fleetlog.exporters.folders import new_folder
from fleetlog.exporters.mlruns import MlrunsFolder
from fleetlog.exporters.parquet import ParquetFolder
from fleetlog.exporters.progress import Exported
from fleetlog.exporters.tensorboard import TensorboardFolder

Form = Literal["parquet", "mlruns", "tensorboard"]


class ExportFolder(AbstractContextManager["ExportFolder"], Protocol):
    """A folder of one form. What of a run has no place in it goes to `left_out`; it is whole when its context ends."""

    left_out: list[str]

    def add(self, run: RunView) -> int:
        """Write a run, but its files. Returns how many points were written."""
        ...

    def files_of(self, run: RunView) -> Path:
        """Returns the folder that the files of a run go to."""
        ...

    def __enter__(self) -> Self: ...


def export_runs(
    client: Client,
    folder: Path,
    filter: str = "",  # noqa: A002
    *,
    to: Form = "parquet",
    experiments: Experiments = None,
    files: bool = True,
    events: bool = True,
    on_progress: Callable[[Exported], None] | None = None,
) -> Exported:
    """Write runs to a folder, deleted ones too. Memory holds one series and some thousand rows.

    Args:
        client: Where the runs are.
        folder: A folder that is new or empty.
        filter: What runs must be, see docs/filter.md; "" = all.
        to: Parquet, MLflow's file store, or TensorBoard's event files. docs/export.md tells what is in each.
        experiments: Names, numbers or Experiments; None = all.
        files: Whether the runs' files are written too.
        events: Whether Parquet has the records of the log, too, that are of these runs.
        on_progress: Is told of each run.

    Returns:
        Exported: what was written, and what has no place in this form.

    Raises:
        FleetlogError: The server does not answer, or the folder can't be written to; FailedPrecondition: Parquet
            without pyarrow.

    """
    done = Exported()
    new_folder(folder)
    known = {one.id: one for one in client.experiments(deleted="all")}
    with _opened(to, client if events else None, folder, known) as written:
        done.left_out = written.left_out
        for run in client.stream_runs(filter, experiments=experiments, deleted="all"):
            done.points += written.add(run)
            if files:
                done.files += len(client.download_artifacts(run, None, written.files_of(run)))
            done.runs += 1
            if on_progress is not None:
                on_progress(done)
    return done


def _opened(to: Form, log: Client | None, folder: Path, known: dict[int, Experiment]) -> ExportFolder:
    """`log`: whom Parquet asks for records of the log."""
    if to == "parquet":
        return ParquetFolder(folder, known, log)
    if to == "mlruns":
        return MlrunsFolder(folder, known)
    return TensorboardFolder(folder, known)
