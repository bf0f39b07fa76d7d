"""Records of a journal: what is written is read, and what was cut or changed is noticed."""

from __future__ import annotations

import pytest
from fleetlog._journal.records import (
    HEAD,
    MAGIC,
    MAX_PAYLOAD_BYTES,
    Answered,
    Damaged,
    ExperimentNumber,
    LoggedFrame,
    Record,
    decode_all,
    encode,
)
from hypothesis import given
from hypothesis import strategies as st

IDS = st.binary(min_size=16, max_size=16)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(LoggedFrame, st.text(max_size=20), st.binary(max_size=60)),
    st.builds(Answered, IDS, IDS, st.integers(0, (1 << 64) - 1)),
    st.builds(ExperimentNumber, st.text(max_size=10), st.text(max_size=20), st.integers(0, (1 << 32) - 1)),
)


def good_part(data: bytes) -> tuple[list[Record], bool]:
    """The records of a segment, and whether a damage ends them."""
    found: list[Record] = []
    try:
        for record in decode_all(data):
            found.append(record)
    except Damaged:
        return found, True
    return found, False


@given(st.lists(RECORDS, max_size=8))
def test_what_is_written_is_read(records: list[Record]) -> None:
    assert good_part(MAGIC + b"".join(map(encode, records))) == (records, False)


@given(st.lists(RECORDS, max_size=3), RECORDS)
def test_a_cut_anywhere_in_the_last_record_leaves_those_before_it(records: list[Record], last: Record) -> None:
    whole, tail = MAGIC + b"".join(map(encode, records)), encode(last)
    for size in range(1, len(tail)):
        assert good_part(whole + tail[:size]) == (records, True)


@given(st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_a_flipped_bit_ends_the_good_part_at_its_record(records: list[Record], data: st.DataObject) -> None:
    parts = [encode(record) for record in records]
    place = data.draw(st.integers(0, sum(map(len, parts)) * 8 - 1))
    changed = bytearray(b"".join(parts))
    changed[place // 8] ^= 1 << place % 8
    hit, size = 0, 0
    while size + len(parts[hit]) <= place // 8:
        size += len(parts[hit])
        hit += 1
    assert good_part(MAGIC + bytes(changed)) == (records[:hit], True)


@given(st.binary(max_size=200))
def test_bytes_of_anything_are_no_records_and_no_error_of_another_kind(data: bytes) -> None:
    good_part(data)
    good_part(MAGIC + data)


def test_a_length_that_no_record_has_is_not_believed() -> None:
    assert good_part(MAGIC + HEAD.pack(MAX_PAYLOAD_BYTES + 1, 0, 1)) == ([], True)


def test_a_kind_of_a_later_version_is_passed_over() -> None:
    known = LoggedFrame("", b"frame")
    later = bytearray(encode(known))
    import zlib

    payload = bytes(later[HEAD.size :])
    kind = 200
    checksum = zlib.crc32(payload, zlib.crc32(len(payload).to_bytes(4, "little") + bytes([kind])))
    later[: HEAD.size] = HEAD.pack(len(payload), checksum, kind)
    assert good_part(MAGIC + bytes(later) + encode(known)) == ([known], False)


def test_the_bytes_of_a_journal_stay_what_they_are() -> None:
    """Journals that lie around are read by every later version."""
    frame = encode(LoggedFrame("é", b"abc"))
    assert frame.hex() == "07000000" + frame[4:8].hex() + "01" + "0200c3a9616263"
    (found,) = decode_all(MAGIC + bytes.fromhex("07000000" + frame[4:8].hex() + "010200c3a9616263"))
    assert found == LoggedFrame("é", b"abc")


@pytest.mark.parametrize("name", ["", "a" * 500, "\ud800"])
def test_names_of_any_kind_come_back(name: str) -> None:
    record = ExperimentNumber("default", name, 7)
    assert good_part(MAGIC + encode(record)) == ([record], False)
