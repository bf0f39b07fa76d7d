from __future__ import annotations

import crc32c as reference
import numpy as np
from fleetlog.importers import crc32c
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(max_size=3_000))
def test_one_string_has_the_sum_that_another_library_finds(content: bytes) -> None:
    assert crc32c.crc32c_of(content) == reference.crc32c(content)


@given(st.integers(0, crc32c.BLOCK), st.integers(0, 5))
def test_rows_have_the_sums_of_their_bytes(length: int, count: int) -> None:
    rows = np.random.default_rng(length * 7 + count).integers(0, 256, (count, length), np.uint8)
    assert crc32c.crc32c(rows).tolist() == [reference.crc32c(row.tobytes()) for row in rows]


def test_long_strings_have_their_sums() -> None:
    content = bytes(range(256)) * 4_000
    assert crc32c.crc32c_of(content) == reference.crc32c(content)
    assert crc32c.crc32c_of(content[:-1]) == reference.crc32c(content[:-1])
