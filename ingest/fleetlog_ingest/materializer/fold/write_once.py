"""What is written once, params, datasets and links to models: of each key the first write in log order stays. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleetlog_core.datasets import dataset_name
from fleetlog_core.errors import shown
from fleetlog_core.rules.run_keys import TOO_MANY_DATASETS, TOO_MANY_MODELS, TOO_MANY_PARAMS, beyond
from fleetlog_core.run_models import model_name
from fleetlog_core.warehouse.schema import KeyKind

from fleetlog_ingest.materializer.fold.params import Values


@dataclass(frozen=True, slots=True)
class OnceKind:
    """A kind of `attrs` that is written once: its number, what keys that are too many are told as, how a key is told
    of, and a conflict of a key whose text was, and would become."""

    number: int
    too_many: str
    name: Callable[[str], str]
    conflict: str
    told: Callable[[str, str, str], str]


def _param_conflict(key: str, first: str, text: str) -> str:
    return (
        f"params: {shown(key)} is {shown(first)} and can't become {shown(text)}; params are written once, log it under"
        " another key or as a tag"
    )


def _dataset_conflict(key: str, first: str, text: str) -> str:
    return (
        f"datasets: {shown(dataset_name(key))} is {shown(first)} and can't become {shown(text)}; datasets are written"
        " once, log other data with another digest or context"
    )


def _model_conflict(key: str, first: str, text: str) -> str:
    named = shown(model_name(key))
    return f"models: {named} is of step {first} and can't become one of step {text}; models are linked once"


PARAMS = OnceKind(KeyKind.PARAM, TOO_MANY_PARAMS, str, "PARAM_CONFLICT", _param_conflict)
DATASETS = OnceKind(KeyKind.DATASET, TOO_MANY_DATASETS, dataset_name, "DATASET_CONFLICT", _dataset_conflict)
MODELS = OnceKind(KeyKind.MODEL, TOO_MANY_MODELS, model_name, "MODEL_LINK_CONFLICT", _model_conflict)


@dataclass(frozen=True, slots=True)
class Sorted:
    """What is new; keys for which there is no room, in order; and (key, first text, other text) of conflicts."""

    new: Values
    excess: list[str]
    conflicts: list[tuple[str, str, str]]


def sort_out(kept: dict[str, str], asked: Values, limit: int) -> Sorted:
    """What becomes of keys and texts that are asked for (at least one), given the ones there are, which grow by it."""
    if len(kept) + len(asked.keys) <= limit and kept.keys().isdisjoint(asked.keys):
        before = len(kept)
        kept.update(zip(asked.keys, asked.texts, strict=True))
        if len(kept) == before + len(asked.keys):
            # All of them are new, as those of most runs are.
            return Sorted(asked, [], [])
        for key in asked.keys:
            kept.pop(key, None)
    excess = dict.fromkeys(beyond(kept, asked.keys, limit))
    new: list[int] = []
    conflicts: list[tuple[str, str, str]] = []
    for place, (key, text) in enumerate(zip(asked.keys, asked.texts, strict=True)):
        if key in excess:
            continue
        first = kept.get(key)
        if first is None:
            kept[key] = text
            new.append(place)
        elif first != text:
            conflicts.append((key, first, text))
    return Sorted(asked.only(new), list(excess), conflicts)
