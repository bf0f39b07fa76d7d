"""Scalars in all shapes that writers give them, read at once and one by one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from fleetlog.importers.tensorboard.source import TensorBoardSource
from hypothesis import given
from hypothesis import strategies as st

from tests.client.importers.tensorboard import event_files

STEPS = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1), st.sampled_from([127, 128, 16_383, 16_384]))
TAGS = st.sampled_from(["a", "b", "aa", "loss/train", "verluste/ß", "c" * 130])


@given(st.lists(st.tuples(TAGS, STEPS, st.floats(width=32)), min_size=1, max_size=60))
def test_any_mixture_of_tags_and_steps_comes_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int, float]]
) -> None:
    folder = tmp_path_factory.mktemp("scalars")
    _write(folder, *(event_files.scalar(*one) for one in told))
    found = _read(folder)
    for tag in {tag for tag, _, _ in told}:
        expected = [(step, struct.pack("<d", value)) for other, step, value in told if other == tag]
        assert [(step, struct.pack("<d", value)) for step, value in found[tag]] == expected


def test_an_event_may_have_several_scalars(tmp_path: Path) -> None:
    _write(tmp_path, *(event_files.event(step, _value(b"a", step), _value(b"b", -step)) for step in range(300)))
    found = _read(tmp_path)
    assert found["a"] == [(step, step) for step in range(300)]
    assert found["b"] == [(step, -step) for step in range(300)]


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (b"\x08\x01\x22\x04" + struct.pack("<f", 0.5), 0.5),  # float, as bytes
        (b"\x08\x01\x12\x00\x2a\x04" + struct.pack("<f", 0.5), 0.5),  # float, packed
        (b"\x08\x01\x2d" + struct.pack("<f", 0.5), 0.5),  # float, not packed
        (b"\x08\x02\x22\x08" + struct.pack("<d", 0.1), 0.1),  # double, as bytes
        (b"\x08\x02\x31" + struct.pack("<d", 0.1), 0.1),  # double, not packed
        (b"\x08\x03\x38\x07", 7.0),  # int32
        (b"\x08\x09\x50" + event_files.varint(-9), -9.0),  # int64
        (b"\x08\x0a\x58\x01", 1.0),  # bool
        (b"\x08\x13\x68" + event_files.varint(0x3800), 0.5),  # half
        (b"\x08\x0e\x22\x02" + b"\x00\x3f", 0.5),  # bfloat16, as bytes
        (b"\x08\x17\x22\x08" + struct.pack("<Q", 5), 5.0),  # uint64, as bytes
    ],
)
def test_tensors_of_one_number_are_scalars_whatever_their_type(tmp_path: Path, fields: bytes, value: float) -> None:
    _write(tmp_path, *(event_files.tensor("x", step, fields) for step in range(3)))
    assert _read(tmp_path) == {"x": [(0, value), (1, value), (2, value)]}


def test_tensors_of_more_numbers_are_files_and_no_points(tmp_path: Path) -> None:
    fields = b"\x08\x01\x12\x04\x12\x02\x08\x02\x22\x08" + struct.pack("<2f", 1, 2)
    _write(tmp_path, event_files.tensor("curve", 3, fields, plugin="pr_curves"))
    (run,) = TensorBoardSource(tmp_path).runs()
    assert list(run.points()) == []
    assert [file.path for file in run.files()] == ["other/pr_curves/curve/3.pb"]


def test_points_without_a_time_have_the_runs_start_and_are_counted(tmp_path: Path) -> None:
    _write(
        tmp_path,
        event_files.scalar("a", 0, 0.0, time=1_700_000_000.5),
        event_files.scalar("a", 1, 1.0, time=float("nan")),
        event_files.scalar("a", 2, 2.0, time=float("inf")),
    )
    source = TensorBoardSource(tmp_path)
    (run,) = source.runs()
    assert [time for points in run.points() for time in points.times.tolist()] == [1_700_000_000_500] * 3
    assert [(one.count, one.is_fault) for one in source.unread()] == [(2, True)]


def test_what_a_later_session_wrote_anew_comes_beside_the_old_unless_it_is_left_out(tmp_path: Path) -> None:
    first = [event_files.scalar("a", step, step) for step in range(10)]
    second = [event_files.session_start(5), *(event_files.scalar("a", step, -step) for step in range(5, 12))]
    _write(tmp_path, *first, name="events.out.tfevents.1.host")
    _write(tmp_path, *second, name="events.out.tfevents.2.host")
    assert len(_read(tmp_path)["a"]) == 17
    source = TensorBoardSource(tmp_path, drop_superseded=True)
    (run,) = source.runs()
    points = [(step, value) for some in run.points() for step, value in zip(some.steps, some.values, strict=True)]
    assert points == [*((step, step) for step in range(5)), *((step, -step) for step in range(5, 12))]
    assert [(one.count, one.is_fault) for one in source.unread()] == [(5, False)]


def test_what_a_file_gains_stands_behind_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    records = [event_files.record(event_files.scalar("a", step, step)) for step in range(600)]
    path.write_bytes(b"".join(records[:300]) + records[300][:20])
    assert _read(tmp_path)["a"] == [(step, step) for step in range(300)]
    path.write_bytes(b"".join(records[:500]))
    (tmp_path / "events.out.tfevents.2.host").write_bytes(b"".join(records[500:]))
    assert _read(tmp_path)["a"] == [(step, step) for step in range(600)]


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    _write(tmp_path / "a", event_files.scalar("x", 1, 1.0))
    assert [run.name for run in TensorBoardSource(tmp_path).runs()] == ["a"]


def test_only_runs_that_changed_since_come_when_that_is_asked(tmp_path: Path) -> None:
    _write(tmp_path, event_files.scalar("x", 1, 1.0))
    changed = next(tmp_path.iterdir()).stat().st_mtime_ns // 1_000_000
    assert len(list(TensorBoardSource(tmp_path).runs(since=changed))) == 1
    assert list(TensorBoardSource(tmp_path).runs(since=changed + 1)) == []


def _value(tag: bytes, number: float) -> bytes:
    return event_files.field(1, tag) + b"\x15" + struct.pack("<f", number)


def _write(folder: Path, *events: bytes, name: str = "events.out.tfevents.1700000000.host") -> None:
    (folder / name).write_bytes(b"".join(map(event_files.record, events)))


def _read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for run in TensorBoardSource(folder).runs():
        for points in run.points():
            assert points.steps.dtype == np.int64
            assert points.values.dtype == np.float64
            numbers = zip(points.steps.tolist(), points.values.tolist(), strict=True)
            found.setdefault(points.key, []).extend(numbers)
    return found
