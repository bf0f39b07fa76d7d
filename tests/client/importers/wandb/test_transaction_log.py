"""The framing of .wandb files: what is damaged is told with its offset, and the rest comes."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from fleetlog.importers.wandb import transaction_log
from hypothesis import given
from hypothesis import strategies as st

HEADER = b":W&B\xe1\xbe\x00"
CONTENTS = [bytes([number]) * (number * 977 % 5_000 + 1) for number in range(1, 60)]


def test_records_of_any_length_come_whole() -> None:
    contents = [b"x" * length for length in (0, 1, 7, 32_754, 32_755, 40_000, 100_000, 3)]
    assert _read(_file(contents)[0]) == (contents, [])


@given(st.integers(0, 200_000))
def test_a_file_that_is_cut_anywhere_gives_every_whole_record(cut: int) -> None:
    content, ends = _file(CONTENTS)
    cut = min(cut, len(content))
    found, faults = _read(content[:cut])
    whole = sum(end <= cut for end in ends)
    assert found == CONTENTS[:whole]
    assert len(faults) <= 2


@given(st.integers(7, 200_000), st.integers(1, 255))
def test_a_byte_that_is_flipped_costs_its_record_and_no_other_but_in_its_block(at: int, bits: int) -> None:
    content, ends = _file(CONTENTS)
    at = min(at, len(content) - 1)
    damaged = bytearray(content)
    damaged[at] ^= bits
    found, faults = _read(bytes(damaged))
    block = at // transaction_log.BLOCK_BYTES * transaction_log.BLOCK_BYTES
    begins = [7, *ends[:-1]]
    for number, whole in enumerate(CONTENTS):
        if ends[number] <= at or begins[number] >= block + transaction_log.BLOCK_BYTES:
            assert whole in found
    lost = [whole for whole in CONTENTS if whole not in found]
    assert bool(lost) <= bool(faults)
    assert set(found) <= set(CONTENTS)


@given(st.binary(max_size=2_000))
def test_what_is_no_such_file_is_told_and_nothing_hangs(content: bytes) -> None:
    assert _read(content) == ([], [0])
    _read(HEADER + content)


def test_a_record_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction_log, "RECORD_BYTES", 50_000)
    content, ends = _file([b"a", b"b" * 80_000, b"c"])
    assert _read(content) == ([b"a", b"c"], [ends[0]])


def test_a_later_version_of_the_format_is_not_guessed_at() -> None:
    assert _read(b":W&B\xe1\xbe\x09" + _file([b"a"])[0][7:]) == ([], [6])


def _read(content: bytes) -> tuple[list[bytes], list[int]]:
    faults: list[int] = []
    found = list(transaction_log.records(BytesIO(content), lambda offset, _: faults.append(offset)))
    return [one for _, one in found], faults


def _file(contents: list[bytes]) -> tuple[bytes, list[int]]:
    """A file of these records, and where each ends."""
    file, ends = bytearray(HEADER), []
    for content in contents:
        left, is_first = content, True
        while True:
            room = transaction_log.BLOCK_BYTES - len(file) % transaction_log.BLOCK_BYTES
            if room < 7:
                file += bytes(room)
                continue
            part, left = left[: room - 7], left[room - 7 :]
            kind = (1 if is_first else 4) if not left else (2 if is_first else 3)
            file += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            is_first = False
            if not left:
                break
        ends.append(len(file))
    return bytes(file), ends
