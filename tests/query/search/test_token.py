"""Tokens: what goes in comes out, and nobody else's is taken."""

from __future__ import annotations

import base64
import itertools
import math

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.order.run_order import FirstPage
from fleetlog_query.search.token import PageTokens, SearchToken, check_page_size
from fleetlog_query.sql.as_of import AsOf
from hypothesis import given
from hypothesis import strategies as st

IDS = st.frozensets(st.binary(min_size=16, max_size=16), max_size=3)
TOKENS = st.builds(
    SearchToken,
    st.floats(0, 1e15),
    st.builds(
        AsOf, st.lists(st.integers(0, 1 << 60), min_size=1, max_size=4).map(tuple), st.none() | st.integers(0, 1 << 60)
    ),
    st.integers(0, 1 << 40),
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.none() | st.builds(FirstPage, st.integers(0, 1_000), IDS, IDS),
)


@given(token=TOKENS)
def test_a_token_goes_on_where_it_was_made(token: SearchToken) -> None:
    tokens = PageTokens([b"key"])
    assert SearchToken.of(tokens.read("runs:1", tokens.make("runs:1", token.values()))) == token


def test_a_token_of_a_position_and_a_place_is_short() -> None:
    token = SearchToken(1_700_000_000_000.0, AsOf((1 << 40,) * 16, 1 << 40), 1_000_000, "0" * 16)
    assert len(PageTokens([b"key"]).make("runs:1", token.values())) < 500


def test_the_names_of_a_hundred_runs_that_changed_fit_a_token() -> None:
    ids = [bytes([place]) * 16 for place in range(100)]
    token = SearchToken(0.0, AsOf((1,), 1), 0, "0" * 16, FirstPage(1, frozenset(ids[:50]), frozenset(ids[50:])))
    assert len(PageTokens([b"key"]).make("runs:1", token.values())) < 4_000


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "ü" * 10,
        "====",
        base64.urlsafe_b64encode(b"short").decode(),
        base64.urlsafe_b64encode(bytes(64)).decode(),
        PageTokens([b"another key"]).make("runs:1", [1]),
        PageTokens([b"key"]).make("runs:2", [1]),
        PageTokens([b"key"]).make("runs:1", [1])[:-4],
    ],
    ids=["no base64", "no ASCII", "padding", "too short", "zeros", "another key", "another request", "cut"],
)
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        PageTokens([b"key"]).read("runs:1", token)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"
    assert caught.value.violations[0].field == "page_token"


def test_a_key_is_replaced_in_three_steps_and_no_page_is_lost() -> None:
    old, new = b"old", b"new"
    steps = [PageTokens(keys) for keys in ([old], [old, new], [new, old], [new])]
    # Processes are started again one after another, so those of neighbouring steps serve the same readers.
    for before, after in itertools.pairwise(steps):
        assert after.read("p", before.make("p", [1])) == [1]
        assert before.read("p", after.make("p", [2])) == [2]
    with pytest.raises(InvalidArgument):
        steps[-1].read("p", steps[0].make("p", [1]))


@given(place=st.integers(0, 200), bit=st.integers(0, 7))
def test_no_bit_of_a_token_can_be_changed(place: int, bit: int) -> None:
    tokens = PageTokens([b"key"])
    data = bytearray(base64.urlsafe_b64decode(tokens.make("runs:1", [1, "a", [2.5]])))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(InvalidArgument):
        tokens.read("runs:1", base64.urlsafe_b64encode(bytes(data)).decode())


def test_numbers_come_back_exactly() -> None:
    tokens, values = PageTokens([b"key"]), [0.1, 1 << 62, -0.0, "a\0ü", [1, None], math.inf]
    assert tokens.read("p", tokens.make("p", values)) == values


@pytest.mark.parametrize(("size", "taken"), [(0, 100), (1, 1), (100, 100), (1_000, 1_000), (5_000, 1_000)])
def test_a_page_has_as_many_as_are_asked_for_up_to_the_most(size: int, taken: int) -> None:
    assert check_page_size(size, 100, 1_000) == taken


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="-1 is below 0; leave it 0 for 100") as caught:
        check_page_size(-1, 100, 1_000)
    assert caught.value.reason == "PAGE_SIZE_NEGATIVE"
