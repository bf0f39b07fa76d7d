"""A callback for the Trainer of Transformers: Trainer(..., callbacks=[FleetlogCallback("experiment")])."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from fleetlog import Run
from fleetlog.integrations.own_run import OwnRun


class FleetlogCallback(TrainerCallback):
    """What the Trainer logs, at its global steps, by the first process; its arguments and the model's config as params.

    The run stays open behind `train`, since `evaluate` may follow: it ends with `close`, or with its process.

    Args:
        experiment: Name of the experiment.
        name: Display name of the run; "" = `run_name` of the training arguments.
        run: A run that is open already; it is not ended here.
        **arguments: As of fleetlog.start_run.

    """

    def __init__(
        self, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None, **arguments: Any
    ) -> None:
        super().__init__()
        self._own = OwnRun(run, experiment, name, arguments)
        self._is_named = bool(name) or run is not None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Start the run and log what it is trained with."""
        if not state.is_world_process_zero:
            return
        run = self._own.run
        if not self._is_named and getattr(args, "run_name", None):
            run.rename(args.run_name)
        run.log_params(args.to_dict())
        config: Any = getattr(model, "config", None)
        if config is not None and hasattr(config, "to_dict"):
            run.log_params({"model": config.to_dict()})

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Log metrics; texts that are among them are left out."""
        if state.is_world_process_zero and logs:
            numbers = {key: value for key, value in logs.items() if isinstance(value, (int, float))}
            self._own.run.log(numbers, step=state.global_step)

    def close(self) -> None:
        """End the run that was started here."""
        self._own.close()
