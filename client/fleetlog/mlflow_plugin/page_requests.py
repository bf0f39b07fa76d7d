"""Requests of MLflow's pages, read where they are plainly right. Pure.

What is not, MLflow's own view reads, and refuses when it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mlflow.entities import ViewType
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT, SEARCH_MAX_RESULTS_THRESHOLD

MAX_RUNS, MAX_POINTS = 100, 2_500
"""Maximum of runs of a chart, and of points of each, that MLflow's own view takes."""
_MAX_DIGITS = 18
_VIEWS = {"ACTIVE_ONLY": ViewType.ACTIVE_ONLY, "DELETED_ONLY": ViewType.DELETED_ONLY, "ALL": ViewType.ALL}


class PointsRequest(NamedTuple):
    """What a chart asks for: a metric of runs, at some steps."""

    run_ids: list[str]
    key: str
    max_results: int
    start_step: int | None
    end_step: int | None


class RunsRequest(NamedTuple):
    """What a table asks for."""

    experiment_ids: list[str]
    where: str
    view: int
    max_results: int
    order_by: list[str]
    page_token: str | None


def points_request(said: Mapping[str, Sequence[str]]) -> PointsRequest | None:
    """Returns what the words of a URL ask for; None when it is not plain."""
    singles = {name: texts[0] for name, texts in said.items() if name != "run_ids" and len(texts) == 1}
    if said.keys() - singles.keys() != {"run_ids"}:
        return None
    run_ids, key = list(said["run_ids"]), singles.pop("metric_key", "")
    if not key or not 0 < len(run_ids) <= MAX_RUNS or singles.keys() - {"max_results", "start_step", "end_step"}:
        return None
    # Negative steps are MLflow's own view's to read.
    if any(not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS for text in singles.values()):
        return None
    numbers = {name: int(text) for name, text in singles.items()}
    first, last = numbers.get("start_step"), numbers.get("end_step")
    most = numbers.get("max_results", MAX_POINTS)
    if (first is None) != (last is None) or not 1 <= most <= MAX_POINTS:
        return None
    if first is not None and last is not None and first > last:
        return None
    return PointsRequest(run_ids, key, most, first, last)


def runs_request(said: Any) -> RunsRequest | None:
    """Returns what the JSON of a body asks for; None when it is not plain."""
    if not isinstance(said, dict):
        return None
    asked = {name: value for name, value in said.items() if value is not None}
    experiments, order = asked.pop("experiment_ids", []), asked.pop("order_by", [])
    where, token = asked.pop("filter", ""), asked.pop("page_token", "")
    view, most = asked.pop("run_view_type", "ACTIVE_ONLY"), asked.pop("max_results", SEARCH_MAX_RESULTS_DEFAULT)
    if asked or not _are_texts(experiments) or not _are_texts(order) or not _are_texts([where, token, view]):
        return None
    if view not in _VIEWS:
        return None
    if type(most) is not int or not 1 <= most <= SEARCH_MAX_RESULTS_THRESHOLD:
        return None
    return RunsRequest(experiments, where, _VIEWS[view], most, order, token or None)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
