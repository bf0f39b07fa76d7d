"""Series as users have them: shapes, types, and points that can't be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fleetlog._values.columns import columns
from fleetlog._values.values import Unusable

from tests.client.values.test_values import Tensor
from tests.zones import local_zone

NOW = 1_700_000_000_000


@pytest.fixture(params=["numpy", "no numpy"])
def maybe_numpy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With numpy, and as it is where numpy is not installed."""
    if request.param == "no numpy":
        monkeypatch.setitem(sys.modules, "numpy", None)
    return bool(request.param == "numpy")


def plain(column: Any) -> list[Any]:
    return list(column) if isinstance(column, list) else column.tolist()


class Detached:
    """A tensor with a gradient: numpy takes it only when it is detached."""

    def __init__(self, held: list[float]) -> None:
        self.held = held

    def detach(self) -> list[float]:
        return self.held

    def __len__(self) -> int:
        raise RuntimeError("call detach() first")


def generated() -> Iterator[float]:
    yield from (1.0, 2.0)


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0],
        (1, 2),
        range(1, 3),
        np.array([[1.0], [2.0]]),
        np.array([[1, 2]]),
        np.array([1, 2], dtype=np.float32),
        generated(),
        {"a": 1.0, "b": 2.0}.values(),
        Detached([1.0, 2.0]),
        pd.Series([1.0, 2.0], index=[7, 8]),
        ["1", "2"],
        [Tensor(1.0), Tensor(2.0)],
        [np.array([1.0]), np.array([2.0])],
        np.array([1, 2], dtype=object),
        np.array([1, 2], dtype=np.longdouble),
    ],
    ids=lambda values: type(values).__name__,
)
def test_values_of_many_shapes_and_types(values: Any) -> None:
    found = columns([0, 1], values)
    assert plain(found.values) == [1.0, 2.0]
    assert plain(found.steps) == [0, 1]
    assert found.times is None
    assert not found.left_out


@pytest.mark.usefixtures("maybe_numpy")
def test_a_point_that_can_not_be_costs_no_other() -> None:
    found = columns(
        [0, 1.5, 2, float("inf"), 2**63, 5, 6, float("nan"), 8],
        [0.0, 1.0, "abc", None, 4.0, 5.0, None, 7.0, float("nan")],
        [NOW, NOW, NOW, NOW, NOW, -5, "soon", NOW, datetime.fromtimestamp(NOW / 1000, UTC)],
    )
    assert plain(found.steps) == [0, 8]
    assert str(plain(found.values)) == "[0.0, nan]"
    assert plain(found.times) == [NOW, NOW]
    assert found.left_out == {"STEP_INVALID": 4, "NOT_A_NUMBER": 2, "TIME_INVALID": 1}
    assert found.examples["NOT_A_NUMBER"] == "'abc' is not a number"


def test_arrays_do_not_wrap() -> None:
    unsigned = np.array([5, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64)
    found = columns(unsigned, np.arange(4))
    assert plain(found.steps) == [5, 2**63 - 1]
    assert found.left_out == {"STEP_INVALID": 2}
    real = np.array([-(2.0**63), 2.0**63, np.inf, -np.inf, np.nan, 0.5, 7.0])
    found = columns(real, np.arange(7))
    assert plain(found.steps) == [-(2**63), 7]
    assert found.left_out == {"STEP_INVALID": 5}


@pytest.mark.usefixtures("maybe_numpy")
@pytest.mark.parametrize("unit", [1, 1000])
def test_times_are_seconds_or_milliseconds(unit: int) -> None:
    found = columns([0, 1], [0.0, 1.0], [NOW / unit, NOW / unit + 5000 / unit])
    assert plain(found.times) == [NOW, NOW + 5000]
    assert plain(columns([0], [0.0], [NOW // unit]).times) == [NOW]


def test_times_are_moments() -> None:
    text = "2024-07-01T12:00:00"
    for zone, millis in (("America/New_York", 1_719_849_600_000), ("UTC", 1_719_835_200_000)):
        with local_zone(zone):
            kinds: list[Any] = [
                [datetime.fromisoformat(text)],
                [text],
                np.array([text], dtype="datetime64[ns]"),
                pd.Series([pd.Timestamp(text)]),
                np.array([text], dtype="datetime64[s]"),
                [np.datetime64(text)],
                pd.DatetimeIndex([text]),
                pd.DatetimeIndex([text]).tz_localize(zone),
                [pd.Timestamp(text, tz=zone)],
            ]
            assert [plain(columns([0], [0.0], times).times) for times in kinds] == [[millis]] * len(kinds)
    found = columns([0, 1, 2], [0.0, 1.0, 2.0], np.array(["NaT", text, "1969-01-01"], dtype="datetime64[ms]"))
    assert plain(found.steps) == [1]
    assert found.left_out == {"TIME_INVALID": 2}
    numbers: tuple[Any, ...] = (np.array([NOW, -1, 10**15, 10**18]), np.array([NOW, np.nan, np.inf, 1e15]))
    for wrong in numbers:
        assert plain(columns(range(4), range(4), wrong).steps) == [0]


@pytest.mark.parametrize(
    ("steps", "values", "said"),
    [
        ([0, 1], [1.0], "2 steps, 1 values: they must be as many"),
        ([0, 1], np.ones((2, 2)), "shape"),
        ([[0, 1], [2, 3]], [1.0, 2.0], "shape"),
        (None, [1.0, 2.0, 3.0], "1 steps, 3 values"),
    ],
)
def test_columns_of_several_lengths_are_refused(steps: Any, values: Any, said: str) -> None:
    with pytest.raises(Unusable, match=said) as caught:
        columns(steps, values)
    assert caught.value.reason == "SERIES_INVALID"


def test_what_was_passed_is_copied() -> None:
    steps, values, times = np.arange(3), np.ones(3), np.full(3, NOW)
    found = columns(steps, values, times)
    steps[:], values[:], times[:] = 9, 9, 9
    assert (plain(found.steps), plain(found.values), plain(found.times)) == ([0, 1, 2], [1.0] * 3, [NOW] * 3)
