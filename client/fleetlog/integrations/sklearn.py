"""Searches of scikit-learn, such as GridSearchCV, as a run with a child for each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetlog import Run, start_run

MAX_CHILDREN = 1_000
"""Candidates that get a run of their own, the best ones; all are in the table."""


def log_search(
    search: Any, experiment: str | None = "Default", name: str | None = "", *, run: Run | None = None,
    max_children: int = MAX_CHILDREN, **arguments: Any,
) -> str:  # fmt: skip
    """Log a search that was fitted. Returns the id of its run.

    The run has the best candidate's params and scores, and `cv_results.csv`; each of its children has the params,
    scores and times of one candidate.

    Args:
        search: GridSearchCV, RandomizedSearchCV or their kin, after `fit`.
        experiment: Name of the experiment.
        name: Display name of the run; "" = the kind of the search.
        run: A run that is open already; it is not ended here.
        max_children: Candidates that get a run of their own, the best ones.
        **arguments: As of fleetlog.start_run.

    Raises:
        ValueError: The search was not fitted.

    """
    results: Mapping[str, Any] | None = getattr(search, "cv_results_", None)
    if results is None:
        raise ValueError(f"search: {type(search).__name__} was not fitted: call fit() before")
    title = name or type(search).__name__
    parent = start_run(experiment, title, **arguments) if run is None else run
    params = list(results["params"])
    numbers = {
        key: values
        for key, values in results.items()
        if key.startswith(("mean_", "std_", "rank_", "split")) and len(values) == len(params)
    }
    parent.log_table({key: list(map(_plain, values)) for key, values in results.items() if key != "params"},
                     "cv_results.csv")  # fmt: skip
    parent.set_tags({"sklearn.search": type(search).__name__, "sklearn.estimator": type(search.estimator).__name__})
    best = getattr(search, "best_index_", None)
    if best is not None:
        parent.log_params(params[best])
        parent.log(_scores(numbers, best), step=0)
    for place in _best_first(results, len(params))[:max_children]:
        child = start_run(
            parent.experiment, f"{title} {place}", parent=parent, params=params[place],
            **{"capture": False, **_of_child(arguments)},
        )  # fmt: skip
        child.log(_scores(numbers, place), step=0)
        child.finish(wait=False)
    if run is None:
        parent.finish()
    return parent.id


def _of_child(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: arguments[key] for key in ("target", "namespace", "user") if key in arguments}


def _scores(numbers: Mapping[str, Any], place: int) -> dict[str, float]:
    return {key: float(values[place]) for key, values in numbers.items()}


def _best_first(results: Mapping[str, Any], count: int) -> list[int]:
    """Places of candidates, by the first ranking that there is."""
    ranks = next((values for key, values in results.items() if key.startswith("rank_test_")), range(count))
    return sorted(range(count), key=lambda place: (float(ranks[place]), place))


def _plain(value: Any) -> Any:
    """A cell of the table: a number or a text, and nothing for what is masked."""
    held = value.item() if hasattr(value, "item") else value
    return held if isinstance(held, (int, float, str, bool)) else "" if held is None or str(held) == "--" else str(held)
