"""A logger for Lightning: Trainer(logger=FleetlogLogger("experiment")). For `lightning` and `pytorch_lightning`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

try:
    from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
    from lightning.pytorch.utilities.rank_zero import rank_zero_only
except ImportError:
    from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
    from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fleetlog import Run
from fleetlog.integrations.own_run import OwnRun


class FleetlogLogger(Logger):
    """Metrics and hyperparameters of a Trainer, by rank 0.

    The run stays open behind `fit`, since `test` may follow: it ends with `close`, with its process, or as FAILED with
    a `fit` that fails.

    Args:
        experiment: Name of the experiment.
        name: Display name of the run.
        run: A run that is open already; it is not ended here.
        prefix: Before each metric, with a slash between.
        **arguments: As of fleetlog.start_run.

    """

    def __init__(
        self, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None, prefix: str = "",
        **arguments: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self._own = OwnRun(run, experiment, name, arguments)
        self._experiment_name = "Default" if experiment is None else experiment
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def name(self) -> str:
        """Name of the experiment: a part of the path of checkpoints."""
        return self._experiment_name

    @property
    def version(self) -> str | None:
        """Id of the run; None before it starts."""
        return self._own.run.id if self._own.has_run else None

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The run, on rank 0."""
        return self._own.run

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace | None = None, *_: Any, **__: Any) -> None:
        """Log params, also nested."""
        if params:
            self._own.run.log_params(vars(params) if isinstance(params, Namespace) else params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics at a step."""
        self._own.run.log({f"{self._prefix}{key}": value for key, value in metrics.items()}, step=step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Called by the Trainer at the end of each of its loops."""
        if status == "failed":
            self._own.close("FAILED")

    @rank_zero_only
    def close(self) -> None:
        """End the run that was started here."""
        self._own.close()
