"""A part of a file: as many bytes as were asked for, and no chunk is read for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleetlog_query.calls.artifacts import beginning_of


@pytest.mark.parametrize(("length", "read"), [(1, 1), (3, 1), (4, 2), (6, 2), (9, 4)])
def test_no_byte_and_no_chunk_more_is_read(length: int, read: int) -> None:
    asked: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number, chunk in enumerate((b"abc", b"def", b"", b"g"), 1):
            asked.append(number)
            yield chunk

    assert b"".join(beginning_of(chunks(), length)) == b"abcdefg"[:length]
    assert len(asked) == read
