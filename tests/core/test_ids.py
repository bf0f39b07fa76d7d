from __future__ import annotations

import uuid

import pytest
from fleetlog_core.ids import new_random_id, new_run_id, new_run_ids, parse_id
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.refusals import reason_of, refused

MILLIS = st.integers(0, (1 << 48) - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)


@given(MILLIS, RANDOMNESS)
def test_a_run_id_is_a_uuid7_of_its_moment(millis: int, randomness: bytes) -> None:
    made = uuid.UUID(bytes=new_run_id(millis, randomness))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == millis
    assert new_run_id(millis, randomness) == made.bytes


@given(st.lists(MILLIS, max_size=20))
def test_many_run_ids_are_each_of_their_moment(millis: list[int]) -> None:
    made = [uuid.UUID(bytes=run_id) for run_id in new_run_ids(millis)]
    assert [(one.version, one.variant, one.int >> 80) for one in made] == [(7, uuid.RFC_4122, time) for time in millis]
    assert len(set(made)) == len(millis)


@given(MILLIS, MILLIS, RANDOMNESS, RANDOMNESS)
def test_byte_order_is_time_order(one: int, other: int, first: bytes, second: bytes) -> None:
    if one != other:
        assert (new_run_id(one, first) < new_run_id(other, second)) == (one < other)


def test_ids_differ() -> None:
    assert len({new_run_id(1_700_000_000_000) for _ in range(1_000)}) == 1_000
    assert len({new_random_id() for _ in range(1_000)}) == 1_000
    assert len(new_random_id()) == 16


@given(st.binary(min_size=16, max_size=16))
def test_every_usual_notation_is_read(raw: bytes) -> None:
    for text in (raw.hex(), raw.hex().upper(), str(uuid.UUID(bytes=raw)), str(uuid.UUID(bytes=raw)).upper()):
        assert parse_id(text) == raw


@pytest.mark.parametrize(
    "text",
    ["", "../../etc", "a/b", "x" * 32, "0" * 31, "0" * 33, "0" * 10_240, "0" * 32 + "\n", "----" + "0" * 32, "٣" * 32,
     "0" * 31 + "ſ", "' OR 1=1 --", "\ud800" * 32, "{" + str(uuid.UUID(int=0)) + "}"],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str) -> None:
    error = refused(lambda: parse_id(text, "run_ids[3]"), "INVALID_ID", "run_ids[3]", "32 hexadecimal digits")
    assert ascii(text)[:90].rstrip("'") in error.message


@given(st.text(max_size=40) | st.text(st.sampled_from("0aF-"), min_size=32, max_size=36))
def test_what_is_read_has_sixteen_bytes(text: str) -> None:
    if reason := reason_of(lambda: parse_id(text)):
        assert reason == "INVALID_ID"
    else:
        assert len(parse_id(text)) == 16
