"""One step's metrics as users have them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fleetlog._values.steps import to_points
from fleetlog._values.values import Unusable

from tests.client.values.test_values import Hostile, Panic, Tensor


def test_nested_metrics_have_slashes() -> None:
    found, out = to_points(
        {"one": np.array([2.5]), "train": {"loss": 1, "top": {"5": Tensor(0.5)}}, "lr": [1e-3], 3: 4}
    )
    assert found == {"one": 2.5, "train/loss": 1.0, "train/top/5": 0.5, "lr": 1e-3, "3": 4.0}
    assert out == []
    assert to_points(SimpleNamespace(loss=1)) == ({"loss": 1.0}, [])
    assert to_points({}) == ({}, [])


def test_a_bad_metric_is_named_and_the_others_are_kept() -> None:
    found, out = to_points(
        {
            "a": 1.0,
            "text": "abc",
            "": 2.0,
            "a//b": 2.0,
            "none": None,
            "many": [1, 2],
            "panic": Hostile(Panic()),
            "z": 2.0,
        }
    )
    assert found == {"a": 1.0, "z": 2.0}
    assert {one.key: one.reason for one in out} == {
        "text": "NOT_A_NUMBER",
        "?": "KEY_INVALID",
        "a//b": "KEY_INVALID",
        "none": "NOT_A_NUMBER",
        "many": "NOT_A_NUMBER",
        "panic": "NOT_A_NUMBER",
    }
    found, out = to_points({"a/b": 1.0, "a": {"b": 2.0}})
    assert found == {"a/b": 2.0}
    assert [one.reason for one in out] == ["KEY_REPEATED"]


@pytest.mark.parametrize(
    ("metrics", "said"), [("loss", r"log\(\{'loss': value\}"), (0.5, r"log\(\{\"loss\": 0.5\}"), (None, "not a dict")]
)
def test_what_is_no_dict_says_how_metrics_are_logged(metrics: Any, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        to_points(metrics)
