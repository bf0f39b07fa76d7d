"""Numbers, steps and texts as frameworks pass them, and what raises."""

from __future__ import annotations

import enum
from collections import deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from fleetlog._values.values import Unusable, display, number, step_number, text, told


class Tensor:
    """A scalar of a framework that is not here: all that it has is item()."""

    def __init__(self, held: Any, shape: tuple[int, ...] = ()) -> None:
        self.held, self.shape = held, shape

    def item(self) -> Any:
        if isinstance(self.held, BaseException):
            raise self.held
        return self.held


class Panic(BaseException):
    """What extensions written in Rust raise."""


class Hostile:
    """Whatever is asked of it raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def _raise(self) -> Any:
        raise self.error

    __str__ = __repr__ = __float__ = __index__ = __len__ = __iter__ = _raise


@pytest.mark.parametrize(
    "value",
    [
        2,
        2.0,
        np.float32(2),
        np.float64(2),
        np.longdouble(2),
        np.array(2),
        np.array([2.0]),
        np.array([[2]]),
        [2.0],
        (np.array([2]),),
        "2",
        Decimal(2),
        Fraction(4, 2),
        Tensor(2.0),
        Tensor(np.float32(2), (1, 1)),
        np.bool_(1) + 1,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_one_number_is_that_number(value: Any) -> None:
    found = number(value)
    assert found == 2.0
    assert type(found) is float


@pytest.mark.parametrize(
    "value",
    [
        None,
        "abc",
        b"\xff",
        1j,
        np.complex64(1),
        [],
        [1, 2],
        {},
        np.array([1, 2]),
        np.array([]),
        10**400,
        object(),
        Tensor(None),
        Tensor(RuntimeError("a Tensor with 2 elements")),
        Tensor(Panic("lost")),
        Hostile(Panic()),
        Hostile(ValueError()),
        deque([1.0]),
        np.datetime64("2024-01-01"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_says_so_and_raises_nothing_else(value: Any) -> None:
    with pytest.raises(Unusable) as caught:
        number(value)
    assert caught.value.reason == "NOT_A_NUMBER"


@pytest.mark.parametrize(
    "step",
    [
        4,
        4.0,
        np.int32(4),
        np.uint64(4),
        np.float32(4),
        np.float64(4),
        np.longdouble(4),
        np.array(4),
        np.array([4.0]),
        Tensor(4),
        Tensor(4.0),
        [4],
        Decimal("4.0"),
        Fraction(8, 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_steps_that_are_whole_are_taken_whatever_their_type(step: Any) -> None:
    found = step_number(step)
    assert found == 4
    assert type(found) is int


@pytest.mark.parametrize(
    "step",
    [
        4.5,
        "4",
        float("nan"),
        float("inf"),
        -float("inf"),
        2**63,
        -(2**63) - 1,
        1e19,
        np.uint64(2**63),
        [1, 2],
        None,
        1j,
        Tensor(RuntimeError()),
        Hostile(Panic()),
        np.array([1, 2]),
        Decimal("NaN"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_steps_are_refused(step: Any) -> None:
    with pytest.raises(Unusable) as caught:
        step_number(step)
    assert caught.value.reason == "STEP_INVALID"


class Color(str, enum.Enum):  # noqa: UP042
    RED = "red"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("caf\udce9", "caf\\udce9"),
        (b"adam", "adam"),
        (b"\xff", "\\xff"),
        (Color.RED, "red"),
        (None, "None"),
        (np.str_("x"), "x"),
        ("日本", "日本"),
        (3, "3"),
    ],
)
def test_texts_are_such_as_utf8_can_say(value: Any, said: str) -> None:
    found = text(value)
    assert found == said
    assert type(found) is str


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    "value",
    [Hostile(Panic("x")), Hostile(OSError("gone")), 10**5000, nested(100_000)],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_can_not_be_written_is_shown_by_its_type(value: Any) -> None:
    with pytest.raises(Unusable, match=r"Panic|OSError|ValueError|RecursionError"):
        text(value)
    assert 0 < len(display(value)) < 250


def test_what_ends_a_process_goes_through() -> None:
    for ending in (KeyboardInterrupt, SystemExit, GeneratorExit):
        for take in (number, step_number, text, display):
            with pytest.raises(ending):
                take(Hostile(ending()))


def test_messages_are_escaped_and_cut() -> None:
    assert display("\x1b[2J") == r"'\x1b[2J'"
    assert "\x1b" not in told(ValueError("\x1b[2J"))
    assert len(told(ValueError("x" * 10_000))) < 250
    assert told(ValueError(Hostile(OSError()))) == "ValueError"
