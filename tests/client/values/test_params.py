"""Configs and tags as users have them, and what becomes of a bad item."""

from __future__ import annotations

import argparse
import struct
from collections import OrderedDict
from collections.abc import Iterator, KeysView
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from fleetlog._values.params import from_param, shortest, to_keys, to_params, to_tags
from fleetlog._values.values import Unusable
from fleetlog_core import limits
from hypothesis import given
from hypothesis import strategies as st

from tests.client.values.test_values import Hostile, Panic, Tensor, nested


def taken(config: Any) -> dict[str, Any]:
    params, out = to_params(config)
    assert out == []
    return {param.key: from_param(param) for param in params}


@dataclass
class Optimizer:
    name: str = "adam"
    lr: float = 1e-3


@dataclass
class Config:
    optimizer: Optimizer = field(default_factory=Optimizer)
    layers: tuple[int, ...] = (64, 32)
    seed: int | None = None


class AlmostADict:
    """As ml_collections has it: keys and items, and no Mapping."""

    def __init__(self, **held: Any) -> None:
        self.held = held

    def keys(self) -> KeysView[str]:
        return self.held.keys()

    def __getitem__(self, key: str) -> Any:
        return self.held[key]


class Model:
    """As pydantic has it."""

    model_fields: ClassVar = {"name": str, "lr": float}

    def __init__(self, **held: Any) -> None:
        self.held = held

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.held.items())


class Attributes:
    """As attrs has it."""

    __attrs_attrs__ = (SimpleNamespace(name="name"), SimpleNamespace(name="lr"))
    name, lr = "adam", 1e-3


class Struct:
    """As msgspec has it."""

    __struct_fields__ = ("name", "lr")
    name, lr = "adam", 1e-3


class Named(NamedTuple):
    name: str
    lr: float


class Described:
    """As transformers has it."""

    def to_dict(self) -> dict[str, Any]:
        return {"name": "adam", "lr": 1e-3}


OPTIMIZER = {"name": "adam", "lr": 1e-3}


@pytest.mark.parametrize(
    "config",
    [
        OPTIMIZER,
        OrderedDict(OPTIMIZER),
        Optimizer(),
        argparse.Namespace(**OPTIMIZER),
        SimpleNamespace(**OPTIMIZER),
        AlmostADict(**OPTIMIZER),
        Model(**OPTIMIZER),
        Attributes(),
        Struct(),
        Named("adam", 1e-3),
    ],
    ids=lambda config: type(config).__name__,
)
def test_leaves_of_nested_configs_are_params(config: Any) -> None:
    expected = {"name": "adam", "lr": 1e-3}
    assert taken(config) == expected
    assert taken({"model": {"optimizer": config}}) == {
        f"model.optimizer.{key}": value for key, value in expected.items()
    }


def test_what_is_passed_as_a_whole_may_also_be_pairs_or_tell_of_itself() -> None:
    assert taken([("name", "adam"), ("lr", 1e-3)]) == taken(Described()) == OPTIMIZER
    assert taken(Config()) == {"optimizer.name": "adam", "optimizer.lr": 1e-3, "layers": "(64, 32)"}


def test_lists_are_one_value_unless_dicts_are_in_them() -> None:
    assert taken({"sizes": [64, 32], "words": ["a"], "none": [], "empty": {}}) == {
        "sizes": "[64, 32]",
        "words": "['a']",
        "none": "[]",
        "empty": "{}",
    }
    assert taken({"layers": [{"size": 64}, {"size": 32, "bias": False}]}) == {
        "layers.0.size": 64,
        "layers.1.size": 32,
        "layers.1.bias": False,
    }


def test_types_of_values() -> None:
    found = taken(
        {
            "yes": np.bool_(True),
            "n": np.int16(3),
            "big": 2**63,
            "t": Tensor(0.5),
            "flag": Tensor(True),
            "path": Path("a"),
            "exact": Decimal("0.001"),
            "long": Decimal("0.1234567890123456789"),
            "half": Fraction(1, 2),
            "third": Fraction(1, 3),
            "wide": np.longdouble("1e-9"),
            "raw": b"adam",
            "array": np.arange(3),
            "none": None,
            "nan": float("nan"),
            7: "key",
        }
    )
    assert str(found.pop("nan")) == "nan"
    assert found == {
        "yes": True,
        "n": 3,
        "big": str(2**63),
        "t": 0.5,
        "flag": True,
        "path": "a",
        "exact": 0.001,
        "long": "0.1234567890123456789",
        "half": 0.5,
        "third": "1/3",
        "wide": 1e-9,
        "raw": "adam",
        "array": "[0 1 2]",
        "7": "key",
    }


@given(st.floats(width=32, allow_nan=False))
def test_a_narrow_float_is_what_it_prints_as(real: float) -> None:
    found = taken({"lr": np.float32(real)})["lr"]
    assert found == float(str(np.float32(real)))
    assert np.float32(found) == np.float32(real)
    half = np.float16(min(max(real, -60_000), 60_000))
    assert taken({"lr": half})["lr"] == float(str(half))


def test_a_bfloat16_is_what_it_prints_as() -> None:
    def nearest(real: float) -> float:
        bits = struct.unpack("I", struct.pack("f", real))[0]
        return float(struct.unpack("f", struct.pack("I", bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000))[0])

    for real in (0.1, 1e-3, 3.0, 256.0, 1.1e30):
        assert shortest(nearest(real), "bfloat16") == real


BAD: dict[str, Any] = {
    "long": "x" * 20_000,
    "": 1,
    "new\nline": 1,
    "a//b": 1,
    "k" * 300: 1,
    "panic": Hostile(Panic()),
    "deep": nested(100_000),
    "digits": 10**5000,
    "tensor": Tensor(RuntimeError("on another device")),
}


def test_a_bad_param_is_named_and_the_others_are_kept() -> None:
    config: dict[Any, Any] = {"first": 1, **BAD, None: 1, "nested": {"good": 2, **BAD}, "last": 3}
    params, out = to_params(config)
    assert {param.key: from_param(param) for param in params} == {"first": 1, "nested.good": 2, "last": 3}
    assert len(out) == 2 * len(BAD) + 1
    reasons = {one.reason for one in out}
    assert reasons == {"TEXT_TOO_LONG", "KEY_INVALID", "KEY_TOO_LONG", "TEXT_INVALID", "VALUE_INVALID"}
    assert all(len(str(one)) < 500 and str(one).isprintable() for one in out)


def test_a_bad_tag_is_named_and_the_others_are_kept() -> None:
    bad = {key: value for key, value in BAD.items() if key != "tensor"}
    tags, out = to_tags({"first": 1, **bad, "none": None, "dict": {"a": 1}})
    assert dict(tags) == {"first": "1", "dict": "{'a': 1}"}
    assert len(out) == len(bad)
    keys, out = to_keys([5, "a", ["b", "c"], "", "x\n", Hostile(Panic())])
    assert keys == ["5", "a", "b", "c"]
    assert [one.reason for one in out] == ["TEXT_INVALID", "KEY_EMPTY", "KEY_INVALID"]


class Breaking(dict[str, Any]):
    """A config of which one value is not set, as OmegaConf has it, or whose keys break off."""

    def __getitem__(self, key: str) -> Any:
        if key == "missing":
            raise KeyError("Missing mandatory value")
        return super().__getitem__(key)

    def items(self) -> Any:
        raise Panic


class BreakingOff(Breaking):
    def __iter__(self) -> Iterator[str]:
        yield "lr"
        raise Panic


def test_a_config_that_raises_costs_what_can_not_be_read_of_it() -> None:
    params, out = to_params(Breaking(lr=1, missing=2, seed=3))
    assert [param.key for param in params] == ["lr", "seed"]
    assert [(one.key, one.reason) for one in out] == [("missing", "VALUE_INVALID")]
    params, out = to_params({"a": BreakingOff(lr=1, seed=3), "b": 2})
    assert [param.key for param in params] == ["a.lr", "b"]
    assert len(out) == 1


def test_what_holds_itself_or_has_no_end_is_bounded() -> None:
    ring: dict[str, Any] = {"lr": 1}
    ring |= {"self": ring, "again": ring}
    deep: Any = 1
    wide: Any = 1
    for _ in range(10_000):
        deep = {"x": deep}
    for _ in range(24):
        wide = {"a": wide, "b": wide}
    params, out = to_params({"ring": ring, "deep": deep, "lr": 1})
    assert [param.key for param in params] == ["ring.lr", "lr"]
    assert [one.reason for one in out] == ["VALUE_INVALID"] * 3
    params, out = to_params(wide)
    assert len(params) == limits.PARAMS_PER_RUN
    assert [one.reason for one in out] == ["TOO_MANY_KEYS"]


@pytest.mark.parametrize("config", [5, "lr", b"lr", [1, 2], Optimizer, np.arange(4), Hostile(Panic()), len])
def test_what_is_no_config_is_refused_as_a_whole(config: Any) -> None:
    with pytest.raises(Unusable):
        to_params(config)


def test_nothing_in_it_is_no_error() -> None:
    assert to_params({}) == to_params([]) == to_params({"a": None, "b": {"c": None}}) == ([], [])
