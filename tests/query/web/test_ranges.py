from __future__ import annotations

import pytest
from fleetlog_query.web.ranges import ByteRange, RangeUnsatisfiable, byte_range

SIZE = 100


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None), ("", None), ("bytes=-", None), ("bytes=5-2", None), ("lines=1-2", None), ("bytes=0-1,5-6", None),
        ("bytes=0-", ByteRange(0, 100)), ("bytes=10-19", ByteRange(10, 10)), ("bytes=90-1000", ByteRange(90, 10)),
        ("bytes=-5", ByteRange(95, 5)), ("bytes=-1000", ByteRange(0, 100)),
    ],
)  # fmt: skip
def test_a_range_is_a_part_or_all(header: str | None, wanted: ByteRange | None) -> None:
    assert byte_range(header, SIZE) == wanted


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_range_behind_the_end_has_no_byte(header: str) -> None:
    with pytest.raises(RangeUnsatisfiable):
        byte_range(header, SIZE)


def test_an_empty_artifact_has_no_part() -> None:
    with pytest.raises(RangeUnsatisfiable):
        byte_range("bytes=0-", 0)


def test_what_is_sent_is_told() -> None:
    assert ByteRange(10, 10).header(SIZE) == "bytes 10-19/100"
