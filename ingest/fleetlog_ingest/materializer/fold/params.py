"""Params, tags and datasets as rows of `attrs`: canonical texts, and the numbers that texts stand for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleetlog_core.datasets import dataset_key, dataset_text
from fleetlog_core.run_models import input_key, output_key
from fleetlog_proto.v1 import event_pb2, logged_model_event_pb2

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Values:
    """Params, tags or datasets as columns: keys, texts, numbers (NaN when a text is none) and types."""

    keys: Sequence[str]
    texts: Sequence[str]
    numbers: Sequence[float]
    types: Sequence[int]

    def only(self, places: Sequence[int]) -> Values:
        """Values at some places."""
        return Values(
            [self.keys[place] for place in places],
            [self.texts[place] for place in places],
            [self.numbers[place] for place in places],
            [self.types[place] for place in places],
        )


def values_of(given: Iterable[event_pb2.Param]) -> Values:
    """Canonical texts of params with their numbers; the type is the field number of the value.

    Reals are in the shortest form that reads back the same (Python's repr), truths are "true" and "false".
    """
    keys, texts, numbers, types = [], [], [], []
    for param in given:
        keys.append(param.key)
        kind = param.WhichOneof("value")
        if kind == "real":
            number, type_ = param.real, 4
            text = repr(number)
            if number != number:
                number = math.nan
        elif kind == "whole":
            text, number, type_ = str(param.whole), float(param.whole), 3
        elif kind == "truth":
            text, number, type_ = "true" if param.truth else "false", math.nan, 5
        else:
            text, type_ = param.text, 2
            number = number_of(text)
        texts.append(text)
        numbers.append(number)
        types.append(type_)
    return Values(keys, texts, numbers, types)


def texts_of(keys: Sequence[str], texts: Sequence[str]) -> Values:
    """Tags."""
    return Values(keys, texts, list(map(number_of, texts)), [0] * len(keys))


def values_of_datasets(given: Iterable[event_pb2.Dataset]) -> Values:
    """Datasets: what tells them apart as keys, the rest as texts. None is a number."""
    keys, texts = [], []
    for dataset in given:
        keys.append(dataset_key(dataset))
        texts.append(dataset_text(dataset))
    return Values(keys, texts, [math.nan] * len(keys), [0] * len(keys))


def values_of_models(linked: logged_model_event_pb2.ModelsLinked) -> Values:
    """Models that a run read or made: direction and model as keys, steps of outputs as texts. None is a number."""
    keys = [input_key(model_id) for model_id in linked.input_model_ids]
    texts = [""] * len(keys)
    for output in linked.outputs:
        keys.append(output_key(output.model_id))
        texts.append(str(output.step))
    return Values(keys, texts, [math.nan] * len(keys), [0] * len(keys))


def number_of(text: str) -> float:
    """The decimal number that the whole text is; NaN when it is none."""
    # Most texts are words: what begins with a letter is no number, and needs no search.
    if text[:1].isalpha() or len(text) > 400 or not _NUMBER.fullmatch(text):
        return math.nan
    return float(text)
