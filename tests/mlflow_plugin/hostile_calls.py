"""Every call of a store, with one argument at a time that means harm and the others as they should be.

What an argument is follows from its name, so a call that is added later is tried too; one whose arguments have names
that nobody knows here ends in a KeyError which says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    ExperimentTag,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelTag,
    Metric,
    Param,
    RunTag,
)
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag

Made = Callable[[str], Any]
"""Makes an argument that holds a text."""


def _list(one: Made) -> Made:
    return lambda text: [one(text)]


def _dataset(text: str) -> list[DatasetInput]:
    return [DatasetInput(Dataset(text, text[:36], text, text, text, text), [InputTag(text, text)])]


TAGS: Mapping[str, Made] = {
    "experiment": lambda text: ExperimentTag(text, text),
    "logged_model": lambda text: LoggedModelTag(text, text),
    "model_version": lambda text: ModelVersionTag(text, text),
    "registered_model": lambda text: RegisteredModelTag(text, text),
}
"""Tag of what a call's name tells; of a run otherwise."""
_TEXT: Made = lambda text: text  # noqa: E731
_TEXTS = _list(_TEXT)
_OF_ONE = """
    alias artifact_location created_by dataset_id description experiment_id experiment_name filter_string issue_id key
    local_model_path metric_key model_id model_type name new_name page_token run_id run_link run_name scorer_name
    secret serialized_scorer source source_run_id stage url user_id version webhook_id
"""
_OF_SEVERAL = "categories dataset_record_ids experiment_ids root_causes run_ids scorer_ids stages trace_ids"
HOSTILE: Mapping[str, Made] = {
    **dict.fromkeys(_OF_ONE.split(), _TEXT),
    **dict.fromkeys(_OF_SEVERAL.split(), _TEXTS),
    "order_by": _TEXTS,
    "metric": lambda text: Metric(text, 1.0, 1, 1, text, text, text, text),
    "metrics": lambda text: [Metric(text, 1.0, 1, 1)],
    "param": lambda text: Param(text, text),
    "datasets": _dataset,
    "records": lambda text: [{"inputs": {text: text}, "tags": {text: text}}],
    "models": lambda text: [LoggedModelInput(text)],
}
"""Arguments that hold texts, by name. Others are flags, numbers and enums."""
OUTPUTS = {"log_outputs": {"models": lambda text: [LoggedModelOutput(text, 1)]}}
ORDERS = {"search_logged_models": {
    "order_by": lambda text: [{"field_name": text, "dataset_name": text, "dataset_digest": text}],
    "datasets": lambda text: [{"dataset_name": text, "dataset_digest": text}],
}}  # fmt: skip


def hostile_calls(
    store: object, names: frozenset[str], fitting: Mapping[str, Any], text: str
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Returns each call of a store, once for each of its arguments that can hold the text. `names`: its calls;
    `fitting`: what the other arguments are; those that are not in it are left out."""
    for name in sorted(names):
        call = getattr(store, name)
        wanted = inspect.signature(call).parameters
        for parameter in wanted:
            made = _made(name, parameter)
            if made is None:
                continue
            others = {
                other: _fitting(name, other, fitting)
                for other, found in wanted.items()
                if other != parameter and found.default is found.empty
            }
            yield f"{name}({parameter})", partial(call, **others, **{parameter: made(text)})


def _made(call: str, parameter: str) -> Made | None:
    special = {**OUTPUTS, **ORDERS}.get(call, {}).get(parameter)
    if special is not None:
        return special
    if parameter == "tag":
        return _tag(call)
    if parameter == "tags":
        return (lambda text: {text: text}) if "dataset" in call else _list(_tag(call))
    if parameter == "params":
        return _list(lambda text: (LoggedModelParameter if "logged_model" in call else Param)(text, text))
    return HOSTILE.get(parameter)


def _tag(call: str) -> Made:
    return next((tag for kind, tag in TAGS.items() if kind in call), lambda text: RunTag(text, text))


def _fitting(call: str, parameter: str, fitting: Mapping[str, Any]) -> Any:
    made = _made(call, parameter)
    if parameter in fitting:
        return fitting[parameter]
    if made is None:
        raise KeyError(f"{call}: nobody says here what {parameter} is")
    return made("fine")
