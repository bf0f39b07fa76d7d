"""Searches of logged models: MLflow's filters and orders, over entities. Pure.

metrics.loss < 0.5 AND params.lr = '0.1' AND tags.team LIKE 's%' AND name IN ('a', 'b')
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlparse
from mlflow.entities import LoggedModel, Metric
from mlflow.utils.search_utils import SearchUtils, _join_in_comparison_tokens

from fleetlog.mlflow_plugin.errors import invalid

Datasets = Sequence[dict[str, Any]] | None
Kind = Literal["attributes", "metrics", "params", "tags"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_KEY = re.compile(r"([a-z]+)\.(.+)")
_ALIASES = {
    "creation_time": "creation_timestamp",
    "creation_timestamp_ms": "creation_timestamp",
    "last_updated_time": "last_updated_timestamp",
    "last_updated_timestamp_ms": "last_updated_timestamp",
}
_NUMBERS = ("creation_timestamp", "last_updated_timestamp")
_ATTRIBUTES = ("name", "model_id", "model_type", "status", "source_run_id", "experiment_id", *_NUMBERS)
_OF_NUMBERS = ("<", "<=", ">", ">=", "=", "!=")
_OF_TEXTS = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")


@dataclass(frozen=True)
class Condition:
    """One comparison of a filter."""

    kind: Kind
    key: str
    operator: str
    value: Any

    def takes(self, found: Any) -> bool:
        """True if what a model has is what is asked for; what it does not have never is."""
        return found is not None and bool(SearchUtils.get_comparison_func(self.operator)(found, self.value))


@dataclass(frozen=True)
class OrderKey:
    """What models are ordered by: an attribute, or the latest value of a metric."""

    kind: Kind
    key: str
    ascending: bool
    dataset_name: str
    dataset_digest: str

    @classmethod
    def of(cls, given: dict[str, Any]) -> OrderKey:
        """From one of MLflow's. MlflowException when it is none."""
        name = str(given.get("field_name") or "").strip()
        kind, dot, key = name.partition(".")
        data = (bool(given.get("ascending", True)), given.get("dataset_name") or "", given.get("dataset_digest") or "")
        if not dot:
            attribute = _ALIASES.get(name, name)
            if attribute not in _ATTRIBUTES:
                raise invalid(f"Invalid order by field name: {name}")
            return cls("attributes", attribute, *data)
        if kind != "metrics":
            raise invalid(f"Invalid order by field name: {name}. Only metrics are supported.")
        return cls("metrics", key, *data)

    def value(self, model: LoggedModel) -> Any:
        """What a model is ordered by; None when it has none."""
        if self.kind == "attributes":
            found = getattr(model, self.key)
            return str(found) if self.key == "status" else found
        points = [
            metric
            for metric in model.metrics or ()
            if metric.key == self.key
            and self.dataset_name in ("", metric.dataset_name)
            and self.dataset_digest in ("", metric.dataset_digest)
        ]
        if not points:
            return None
        value = max(points, key=lambda metric: (metric.timestamp, metric.step)).value
        return None if math.isnan(value) else value


def chosen(models: Sequence[LoggedModel], filter_string: str | None, datasets: Datasets) -> list[LoggedModel]:
    """Returns the models that a filter takes; with `datasets`, metrics that were measured on one of them alone count,
    and a model needs one such metric. MlflowException when the filter is none."""
    conditions = conditions_of(filter_string)
    asks_metrics = any(condition.kind == "metrics" for condition in conditions)
    return [
        model
        for model in models
        if all(_takes(model, condition, datasets) for condition in conditions)
        and (asks_metrics or not datasets or any(_is_on(metric, datasets) for metric in model.metrics or ()))
    ]


def conditions_of(filter_string: str | None) -> list[Condition]:
    """Returns the comparisons of a filter. MlflowException."""
    if not filter_string:
        return []
    statements = sqlparse.parse(filter_string)
    if len(statements) != 1:
        raise invalid(f"Invalid filter string: {filter_string!r}. Expected a single expression.")
    found: list[Condition] = []
    for token in _join_in_comparison_tokens(statements[0].tokens):
        if isinstance(token, sqlparse.sql.Comparison):
            found.append(_condition([str(part) for part in token.tokens if not part.is_whitespace], filter_string))
        elif token.value.strip().upper() not in ("AND", ""):
            raise invalid(f"Invalid filter string: {filter_string!r}. Expected comparisons that are joined by AND.")
    return found


def ordered(models: Sequence[LoggedModel], order_by: Sequence[dict[str, Any]] | None) -> list[LoggedModel]:
    """Returns the models by the keys of `order_by`, those without a value last; then the one that was made last first.
    MlflowException when a key is none."""
    keys = [OrderKey.of(given) for given in order_by or ()]
    found = sorted(models, key=lambda model: (-model.creation_timestamp, model.model_id))
    for key in reversed(keys):
        values = {model.model_id: key.value(model) for model in found}
        with_value = [model for model in found if values[model.model_id] is not None]
        without = [model for model in found if values[model.model_id] is None]
        with_value.sort(key=lambda model: values[model.model_id], reverse=not key.ascending)
        found = with_value + without
    return found


def _condition(parts: Sequence[str], filter_string: str) -> Condition:
    if len(parts) != 3:
        raise invalid(f"Invalid filter string: {filter_string!r}. Expected a key, an operator and a value.")
    name, operator, text = parts[0], parts[1].upper(), parts[2]
    kind, key = _named(name)
    is_number = kind == "metrics" or (kind == "attributes" and key in _NUMBERS)
    operators = _OF_NUMBERS if is_number else _OF_TEXTS
    if operator not in operators:
        raise invalid(f"Invalid comparison operator for {name}: {operator!r}. Expected one of {operators}.")
    if not is_number:
        return Condition(kind, key, operator, _texts(text) if operator in ("IN", "NOT IN") else text.strip("'\""))
    try:
        return Condition(kind, key, operator, float(text))
    except ValueError:
        raise invalid(f"Invalid filter string: {filter_string!r}. {name} is a number, and {text} is none.") from None


def _named(name: str) -> tuple[Kind, str]:
    match = _KEY.fullmatch(name)
    kind, key = match.groups() if match else ("attributes", name)
    for known in _KINDS:
        if kind == known:
            key = key.strip('`"')
            key = _ALIASES.get(key, key) if known == "attributes" else key
            if known == "attributes" and key not in _ATTRIBUTES:
                raise invalid(f"Invalid filter string: {name!r} is no attribute; there are {', '.join(_ATTRIBUTES)}.")
            return known, key
    raise invalid(f"Invalid entity type: {kind!r}. Expected one of {list(_KINDS)}.")


def _texts(text: str) -> tuple[str, ...]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise invalid(f"Invalid filter string: {text!r} is no list of texts.") from None
    return (found,) if isinstance(found, str) else tuple(map(str, found))


def _takes(model: LoggedModel, condition: Condition, datasets: Datasets) -> bool:
    key = condition.key
    if condition.kind == "metrics":
        points = [metric for metric in model.metrics or () if metric.key == key]
        return any(condition.takes(metric.value) for metric in points if not datasets or _is_on(metric, datasets))
    if condition.kind == "params":
        return condition.takes(model.params.get(key))
    if condition.kind == "tags":
        return condition.takes(model.tags.get(key))
    found = getattr(model, key)
    return condition.takes(str(found) if key == "status" else found)


def _is_on(metric: Metric, datasets: Sequence[dict[str, Any]]) -> bool:
    return any(
        metric.dataset_name == dataset["dataset_name"]
        and dataset.get("dataset_digest", metric.dataset_digest) == metric.dataset_digest
        for dataset in datasets
    )
