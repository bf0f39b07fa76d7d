"""A callback for LightGBM: lightgbm.train(..., callbacks=[FleetlogCallback("experiment")]).

Also of its scikit-learn API. It needs nothing of the library: what a callback is told is documented, and all there is.
"""

from __future__ import annotations

from typing import Any

from fleetlog import Run
from fleetlog.integrations.own_run import OwnRun


class FleetlogCallback:
    """Params, and metrics of each evaluation set by iteration, as valid_0/auc; of lightgbm.cv also their deviation.

    The run that is started here ends with the last iteration. Early stopping ends the training before that: then it
    ends with `close`, or with its process.

    Args:
        experiment: Name of the experiment.
        name: Display name of the run.
        run: A run that is open already; it is not ended here.
        **arguments: As of fleetlog.start_run.

    """

    order = 20
    """Before early stopping, which is 30 and leaves the iteration by an exception."""
    before_iteration = False

    def __init__(
        self, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None, **arguments: Any
    ) -> None:
        self._own = OwnRun(run, experiment, name, arguments)

    def __call__(self, env: Any) -> None:
        """Log an iteration."""
        if env.iteration == env.begin_iteration:
            self._own.run.log_params(dict(env.params or {}))
        found: dict[str, float] = {}
        for data, metric, value, _, *spread in env.evaluation_result_list or ():
            found[f"{data}/{metric}"] = value
            if spread:
                found[f"{data}/{metric}_std"] = spread[0]
        if found:
            self._own.run.log(found, step=env.iteration)
        if env.iteration == env.end_iteration - 1:
            self._own.close()

    def close(self) -> None:
        """End the run that was started here."""
        self._own.close()
