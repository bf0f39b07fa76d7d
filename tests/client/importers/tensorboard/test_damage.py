"""Damaged files: what is damaged is told with its offset, and the rest comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleetlog.importers.tensorboard import records
from fleetlog.importers.tensorboard.source import TensorBoardSource
from hypothesis import example, given
from hypothesis import strategies as st

from tests.client.importers.tensorboard import event_files

COUNT = 40
RECORDS = [event_files.record(event_files.scalar("loss" * (step % 3 + 1), step, step / 4)) for step in range(COUNT)]
WHOLE = b"".join(RECORDS)
STARTS = [sum(map(len, RECORDS[:number])) for number in range(COUNT + 1)]


@given(st.integers(0, len(WHOLE)))
def test_a_file_that_is_cut_anywhere_gives_every_whole_record(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    steps, faults = _read(tmp_path_factory.mktemp("cut"), WHOLE[:cut])
    whole = sum(end <= cut for end in STARTS[1:])
    assert steps == list(range(whole))
    assert [offset for offset, _ in faults] == ([] if cut in STARTS else [STARTS[whole]])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_byte_that_is_flipped_costs_its_record_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, at: int, bits: int
) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= bits
    steps, faults = _read(tmp_path_factory.mktemp("flip"), bytes(damaged))
    hit = sum(end <= at for end in STARTS[1:])
    assert steps == [step for step in range(COUNT) if step != hit]
    assert [offset for offset, _ in faults] == [STARTS[hit]]


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 200))
@example(41, 138)
def test_bytes_that_are_missing_cost_the_records_that_they_were_of(
    tmp_path_factory: pytest.TempPathFactory, at: int, count: int
) -> None:
    damaged = WHOLE[:at] + WHOLE[at + count :]
    steps, faults = _read(tmp_path_factory.mktemp("hole"), damaged)
    untouched = [step for step in range(COUNT) if STARTS[step + 1] <= at or STARTS[step] >= at + count]
    # What is left of two records can be one of them to the last byte: they begin alike.
    whole = [step for step in range(COUNT) if RECORDS[step] in damaged]
    assert steps == whole
    assert set(untouched) <= set(whole)
    assert len(whole) <= len(untouched) + 1
    assert bool(faults) is (damaged != b"".join(RECORDS[step] for step in steps))


@given(st.binary(max_size=3_000))
def test_what_is_no_event_file_is_told_and_nothing_hangs(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    steps, faults = _read(tmp_path_factory.mktemp("noise"), content)
    assert steps == []
    assert len(faults) == bool(content)


def test_a_record_that_is_too_long_is_passed_over_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_BYTES", 1_000)
    monkeypatch.setattr(records, "CHUNK_BYTES", 64)
    long = event_files.record(bytes(5_000))
    steps, faults = _read(tmp_path, RECORDS[0] + long + RECORDS[1])
    assert steps == [0, 1]
    assert faults == [(len(RECORDS[0]), "a record of 5,000 bytes is passed over; at most 1,000 are read")]


def test_records_longer_than_a_chunk_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHUNK_BYTES", 64)
    long = event_files.record(event_files.scalar("x" * 70_000, 1, 1.0))
    steps, faults = _read(tmp_path, RECORDS[0] + long + RECORDS[2])
    assert (steps, faults) == ([0, 1, 2], [])


@pytest.mark.parametrize("chunk", [13, 50, 64, 200])
def test_damage_is_passed_over_where_chunks_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(records, "CHUNK_BYTES", chunk)
    damaged = bytearray(WHOLE)
    damaged[STARTS[5]] ^= 1
    damaged[STARTS[20] + 15] ^= 1
    steps, faults = _read(tmp_path, bytes(damaged))
    assert steps == [step for step in range(COUNT) if step not in (5, 20)]
    assert [offset for offset, _ in faults] == [STARTS[5], STARTS[20]]


def test_records_that_are_whole_and_no_events_are_told(tmp_path: Path) -> None:
    steps, faults = _read(tmp_path, event_files.record(b"\xff\xff") + RECORDS[1])
    assert steps == [1]
    assert faults == [(12, "a record that is no event of TensorBoard's")]


def test_what_is_told_of_a_file_is_told_once(tmp_path: Path) -> None:
    _write(tmp_path, WHOLE[:-1])
    source = TensorBoardSource(tmp_path)
    for run in source.runs():
        for _ in range(2):
            assert sum(len(points.steps) for points in run.points()) == COUNT - 1
        assert list(run.files()) == []
    assert len(source.unread()) == 1


def _read(folder: Path, content: bytes) -> tuple[list[int], list[tuple[int | None, str]]]:
    _write(folder, content)
    source = TensorBoardSource(folder)
    steps = sorted(int(step) for run in source.runs() for points in run.points() for step in points.steps)
    return steps, [(one.offset, one.why) for one in source.unread() if one.is_fault]


def _write(folder: Path, content: bytes) -> None:
    (folder / "events.out.tfevents.1700000000.host").write_bytes(content)
