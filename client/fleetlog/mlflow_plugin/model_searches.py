"""Searches of logged models: MLflow's filters and orders over entities, by MLflow's own parser. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mlflow.entities import LoggedModel, Metric
from mlflow.utils.search_utils import SearchLoggedModelsUtils, SearchUtils

from fleetlog.mlflow_plugin.errors import invalid

Datasets = Sequence[dict[str, Any]] | None
_ALIASES = {"creation_time": "creation_timestamp", "last_updated_time": "last_updated_timestamp"}


def chosen(models: Sequence[LoggedModel], filter_string: str | None, datasets: Datasets) -> list[LoggedModel]:
    """Returns the models that a filter takes; with `datasets`, metrics that were measured on one of them alone count,
    and a model needs one such metric. MlflowException when the filter is none."""
    clauses = SearchLoggedModelsUtils.parse_search_filter(filter_string)
    asks_metrics = any(clause["type"] == "metric" for clause in clauses)
    return [
        model
        for model in models
        if all(_takes(model, clause, datasets) for clause in clauses)
        and (asks_metrics or not datasets or any(_is_on(metric, datasets) for metric in model.metrics))
    ]


def ordered(models: Sequence[LoggedModel], order_by: Sequence[dict[str, Any]] | None) -> list[LoggedModel]:
    """Returns the models by the keys of `order_by`, those without a value last; then the one that was made last first.
    MlflowException when a key is none."""
    found = sorted(models, key=lambda model: (-model.creation_timestamp, model.model_id))
    for given in reversed(order_by or ()):
        key = SearchLoggedModelsUtils.parse_order_by_for_logged_models(given)
        name = _ALIASES.get(key.field_name, key.field_name)
        if "." not in name and not hasattr(LoggedModel, name):
            raise invalid(f"Invalid order by field name: {key.field_name}")
        values = {model.model_id: _value(model, name, key.dataset_name, key.dataset_digest) for model in found}
        with_value = [model for model in found if values[model.model_id] is not None]
        without = [model for model in found if values[model.model_id] is None]
        with_value.sort(key=lambda model: values[model.model_id], reverse=not key.ascending)
        found = with_value + without
    return found


def _takes(model: LoggedModel, clause: dict[str, Any], datasets: Datasets) -> bool:
    operator, value = clause["comparator"].upper(), clause["value"]
    compare = SearchUtils.get_comparison_func(operator)
    if clause["type"] == "metric":
        return any(
            metric.key == clause["key"]
            and (not datasets or _is_on(metric, datasets))
            and compare(metric.value, float(value))
            for metric in model.metrics
        )
    if clause["type"] == "parameter":
        found = model.params.get(clause["key"])
    elif clause["type"] == "tag":
        found = model.tags.get(clause["key"])
    else:
        name = _ALIASES.get(clause["key"], clause["key"])
        found = getattr(model, name)
        if name in SearchLoggedModelsUtils.NUMERIC_ATTRIBUTES:
            value = float(value)
    return found is not None and bool(compare(found, value))


def _is_on(metric: Metric, datasets: Sequence[dict[str, Any]]) -> bool:
    return any(
        metric.dataset_name == dataset["dataset_name"]
        and dataset.get("dataset_digest", metric.dataset_digest) == metric.dataset_digest
        for dataset in datasets
    )


def _value(model: LoggedModel, name: str, dataset_name: str | None, dataset_digest: str | None) -> Any:
    """What a model is ordered by: an attribute, or the latest value of a metric. None: it has none."""
    if "." not in name:
        return getattr(model, name)
    key = name.split(".", 1)[1]
    points = [
        metric
        for metric in model.metrics
        if metric.key == key
        and (not dataset_name or metric.dataset_name == dataset_name)
        and (not dataset_digest or metric.dataset_digest == dataset_digest)
    ]
    if not points:
        return None
    value = max(points, key=lambda metric: (metric.timestamp, metric.step)).value
    return None if math.isnan(value) else value
