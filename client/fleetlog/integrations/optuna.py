"""A callback for Optuna: study.optimize(objective, callbacks=[FleetlogCallback("experiment")]).

It needs nothing of the library: a callback is called with a study and a trial that ended.
"""

from __future__ import annotations

import threading
from typing import Any

from fleetlog import EndState, Run, start_run
from fleetlog.integrations.own_run import OwnRun

_STATES: dict[str, EndState] = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


class FleetlogCallback:
    """A run for the study, and a child for each trial: params, values, intermediate values as a curve, state.

    A pruned trial is KILLED and has the tag optuna.state = PRUNED. The study's run has the tags optuna.best_trial and
    optuna.best_value; it ends with `close`, or with its process. Thread-safe, for studies with n_jobs.

    Args:
        experiment: Name of the experiment.
        name: Display name of the study's run; "" = the study's name.
        run: A run that is open already, as the study's; it is not ended here.
        **arguments: As of fleetlog.start_run.

    """

    def __init__(
        self, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None, **arguments: Any
    ) -> None:
        self._own = OwnRun(run, experiment, name, arguments)
        self._is_named = bool(name) or run is not None
        self._of_child: dict[str, Any] = {"capture": False}
        self._of_child.update((key, arguments[key]) for key in ("target", "namespace", "user") if key in arguments)
        self._lock = threading.Lock()

    def __call__(self, study: Any, trial: Any) -> None:
        """Log a trial that ended."""
        parent = self._study_run(study)
        state = trial.state.name
        values = list(trial.values or ())
        child = start_run(
            parent.experiment,
            f"trial {trial.number}",
            parent=parent,
            params=trial.params,
            tags={"optuna.trial": trial.number, "optuna.state": state, **_texts(trial.user_attrs)},
            start_time=None if trial.datetime_start is None else trial.datetime_start.astimezone(),
            **self._of_child,
        )
        for step, value in sorted(trial.intermediate_values.items()):
            child.log({"intermediate_value": value}, step=step)
        names = ["value"] if len(values) == 1 else [f"value_{place}" for place in range(len(values))]
        if values:
            found = dict(zip(names, values, strict=True))
            child.log(found, step=0)
            # The study's curve: one step a trial.
            parent.log(found, step=trial.number)
        end = None if trial.datetime_complete is None else trial.datetime_complete.astimezone()
        child.finish(_STATES.get(state, "FINISHED"), end, wait=False)
        self._tell_best(parent, study)

    def _study_run(self, study: Any) -> Run:
        with self._lock:
            is_new = not self._own.has_run
            run = self._own.run
            if is_new and not self._is_named:
                run.rename(study.study_name)
            if is_new:
                run.set_tags(
                    {
                        "optuna.study": study.study_name,
                        "optuna.directions": ", ".join(one.name.lower() for one in study.directions),
                        "optuna.sampler": type(study.sampler).__name__,
                        "optuna.pruner": type(study.pruner).__name__,
                    }
                )
            return run

    @staticmethod
    def _tell_best(run: Run, study: Any) -> None:
        try:
            best = study.best_trials
        except (ValueError, RuntimeError):  # no trial is complete yet
            return
        if len(best) == 1:
            run.set_tags({"optuna.best_trial": best[0].number, "optuna.best_value": best[0].values[0]})
        elif best:
            run.set_tags({"optuna.best_trials": ", ".join(str(one.number) for one in best[:100])})

    def close(self) -> None:
        """End the study's run, when it was started here."""
        self._own.close()


def _texts(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"optuna.attr.{key}": value for key, value in attributes.items()}
