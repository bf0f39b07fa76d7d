"""A callback for Keras: model.fit(..., callbacks=[FleetlogCallback("experiment")])."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras.callbacks import Callback

from fleetlog import Run
from fleetlog.integrations.own_run import OwnRun


class FleetlogCallback(Callback):
    """Metrics by epoch, and by batch when asked for; the optimizer's config as params.

    The run that is started here ends when `fit` does.

    Args:
        experiment: Name of the experiment.
        name: Display name of the run.
        run: A run that is open already; it is not ended here.
        every_batches: Log batch/… metrics every so many batches; 0 = never.
        **arguments: As of fleetlog.start_run.

    """

    def __init__(
        self, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None,
        every_batches: int = 0, **arguments: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self._own = OwnRun(run, experiment, name, arguments)
        self._every_batches = every_batches
        self._batches = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Start the run and log what it is trained with."""
        run = self._own.run
        run.log_params({"fit": dict(self.params or {})})
        optimizer: Any = getattr(self.model, "optimizer", None)
        if optimizer is not None and hasattr(optimizer, "get_config"):
            run.log_params({"optimizer": optimizer.get_config()})

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log a batch, when it is its turn."""
        self._batches += 1
        if self._every_batches and logs and self._batches % self._every_batches == 0:
            self._own.run.log({f"batch/{key}": value for key, value in logs.items()}, step=self._batches)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log an epoch: the step is its number, from 0."""
        if logs:
            self._own.run.log(dict(logs), step=epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """End the run that was started here."""
        self._own.close()
