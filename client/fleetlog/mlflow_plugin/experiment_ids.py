"""Ids of experiments that a call names."""

from __future__ import annotations

from collections.abc import Iterable

from fleetlog.mlflow_plugin.errors import invalid, missing

MAX_NUMBER = (1 << 32) - 1
"""Highest number that an experiment can have."""


def experiment_number(experiment_id: str) -> int:
    """Returns the number that an id is, 0 for an empty one. MlflowException when no experiment can have it."""
    number = _number(experiment_id)
    if not 0 <= number <= MAX_NUMBER:
        raise missing(f"No Experiment with id={number} exists")
    return number


def experiment_numbers(experiment_ids: Iterable[str]) -> list[int]:
    """Returns the numbers that ids to search in are, without those that no experiment can have. MlflowException when
    one is no number."""
    return [number for number in map(_number, experiment_ids) if 0 <= number <= MAX_NUMBER]


def _number(experiment_id: str) -> int:
    try:
        return int(experiment_id or 0)
    except (ValueError, TypeError):
        shown = str(experiment_id)[:100]
        raise invalid(f"Invalid experiment ID '{shown}'. Experiment ID must be a valid integer.") from None
