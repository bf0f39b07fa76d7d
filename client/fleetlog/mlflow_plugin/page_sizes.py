"""Sizes of pages that a call asks for."""

from __future__ import annotations

from mlflow.store.tracking import SEARCH_MAX_RESULTS_THRESHOLD

from fleetlog.mlflow_plugin.errors import invalid


def check_max_results(max_results: object) -> None:
    """MlflowException unless it is 1 to the most that MLflow allows."""
    if not isinstance(max_results, int) or max_results < 1:
        raise invalid(
            f"Invalid value {max_results} for parameter 'max_results' supplied. It must be a positive integer"
        )
    if max_results > SEARCH_MAX_RESULTS_THRESHOLD:
        raise invalid(
            f"Invalid value {max_results} for parameter 'max_results' supplied."
            f" It must be at most {SEARCH_MAX_RESULTS_THRESHOLD}"
        )
