"""A callback for XGBoost: xgboost.train(..., callbacks=[FleetlogCallback("experiment")])."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xgboost.callback import TrainingCallback

from fleetlog import Run
from fleetlog.integrations.own_run import OwnRun


class FleetlogCallback(TrainingCallback):
    """Metrics of each evaluation set by iteration, as train/rmse; of xgboost.cv their mean, and train/rmse_std.

    Args:
        experiment: Name of the experiment.
        name: Display name of the run.
        run: A run that is open already; it is not ended here.
        **arguments: As of fleetlog.start_run, such as params={…}: the library tells a callback of none.

    """

    def __init__(
        self, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None, **arguments: Any
    ) -> None:
        super().__init__()
        self._own = OwnRun(run, experiment, name, arguments)

    def before_training(self, model: Any) -> Any:
        """Start the run."""
        self._own.run  # noqa: B018
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:
        """Log the iteration. False: training goes on."""
        found: dict[str, float] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                last = values[-1]
                mean, spread = last if isinstance(last, tuple) else (last, None)
                found[f"{data}/{metric}"] = float(mean)
                if spread is not None:
                    found[f"{data}/{metric}_std"] = float(spread)
        if found:
            self._own.run.log(found, step=epoch)
        return False

    def after_training(self, model: Any) -> Any:
        """Log the best iteration where one was looked for, and end the run that was started here."""
        best = {}
        for key in ("best_iteration", "best_score"):
            try:
                best[key] = float(getattr(model, key))
            except (AttributeError, TypeError, ValueError):  # without early stopping there is none
                continue
        self._own.run.set_tags({key: f"{value:g}" for key, value in best.items()})
        self._own.close()
        return model
