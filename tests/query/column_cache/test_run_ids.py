"""Ids of two reads meet as sets do."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from fleetlog_query.column_cache.run_ids import Ids
from hypothesis import given
from hypothesis import strategies as st

ID = st.builds(
    lambda head, tail: head + tail,
    st.sampled_from([bytes(8), bytes(7) + b"\x01", b"\xff" * 8]) | st.binary(min_size=8, max_size=8),
    st.sampled_from([bytes(8), b"\0" * 7 + b"\x01"]) | st.binary(min_size=8, max_size=8),
)


def ids(given_ids: set[bytes]) -> Ids:
    return Ids(np.frombuffer(b"".join(sorted(given_ids)), "V16"))


@given(one=st.sets(ID, max_size=60), other=st.sets(ID, max_size=60), alike=st.booleans())
def test_they_meet_where_they_are_the_same(one: set[bytes], other: set[bytes], alike: bool) -> None:
    other |= set(list(one)[::2])
    if alike:
        one |= {bytes(8) + number.to_bytes(8, "big") for number in range(40)}
    mine, theirs = ids(one), ids(other)
    rows, places = mine.intersect(theirs)
    assert [theirs.at(row) for row in rows.tolist()] == sorted(one & other)
    assert [mine.at(place) for place in places.tolist()] == sorted(one & other)


MANY = {number.to_bytes(2, "big") * 8 for number in range(5_000)}


@given(other=st.sets(ID | st.sampled_from(sorted(MANY)), max_size=60), more=st.sets(ID, max_size=60))
def test_a_few_meet_very_many(other: set[bytes], more: set[bytes]) -> None:
    one = MANY | more
    mine, theirs = ids(one), ids(other)
    rows, places = mine.intersect(theirs)
    assert [theirs.at(row) for row in rows.tolist()] == sorted(one & other)
    assert [mine.at(place) for place in places.tolist()] == sorted(one & other)
    ordered = sorted(one)
    assert mine.places(theirs).tolist() == [bisect_left(ordered, each) for each in sorted(other)]
