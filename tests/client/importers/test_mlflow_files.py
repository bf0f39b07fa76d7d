"""Files of MLflow's stores: those that are whole, and those that are not."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from fleetlog.importers.mlflow_stores import metric_files
from fleetlog.importers.mlflow_stores.meta_files import MetaError, number, read_meta
from fleetlog.importers.mlflow_stores.metric_files import read_metric
from fleetlog.importers.mlflow_stores.model_folders import MlflowFolder
from fleetlog.importers.source import Points, SourceError, Unread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client.importers.file_stores import NOW, lines, make_experiment, make_run
from tests.profiles import examples


def _read(path: Path, text: str) -> tuple[list[Points], list[Unread]]:
    unread: list[Unread] = []
    path.write_bytes(text.encode())
    return list(read_metric(path, "loss", unread)), unread


def test_points_come_in_order_and_by_bits(tmp_path: Path) -> None:
    text = f"{NOW} 0.1 3\n{NOW + 1} nan 2\n{NOW} -inf -9223372036854775808\n{NOW} 5e-324 9223372036854775807\n"
    [points], unread = _read(tmp_path / "m", text)
    assert unread == []
    assert points.steps.tolist() == [3, 2, -(2**63), 2**63 - 1]
    assert points.values.tobytes() == np.array([0.1, math.nan, -math.inf, 5e-324]).tobytes()
    assert points.times.tolist() == [NOW, NOW + 1, NOW, NOW]


def test_lines_of_all_versions_are_read_together(tmp_path: Path) -> None:
    [points], unread = _read(tmp_path / "m", f"{NOW} 1.5\n{NOW} 2.5 7\n{NOW} 3.5 8 web 8f2c\n{NOW} 4.5 9 my set 8f2c\n")
    assert unread == []
    assert (points.steps.tolist(), points.values.tolist()) == ([0, 7, 8, 9], [1.5, 2.5, 3.5, 4.5])


def test_a_line_that_is_broken_costs_itself_and_is_named_with_its_byte(tmp_path: Path) -> None:
    head, torn = lines(3), "oops \x00 1 2 3 4\n"
    [points], unread = _read(tmp_path / "m", head + torn + lines(2, first=3) + f"{NOW} 0.1")
    assert points.steps.tolist() == [0, 1, 2, 3, 4]
    assert [(one.where, one.offset) for one in unread] == [
        (str(tmp_path / "m"), len(head)),
        (str(tmp_path / "m"), len(head + torn + lines(2, first=3))),
    ]
    assert "cut short" in unread[1].why


def test_a_file_is_read_in_blocks_that_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetlog.importers.mlflow_stores.metric_files.BLOCK_BYTES", 50)
    pieces, unread = _read(tmp_path / "m", lines(40))
    assert unread == []
    assert np.concatenate([one.steps for one in pieces]).tolist() == list(range(40))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name: plain\nend_time: null\ntags: []\n", {"name": "plain", "end_time": None, "tags": None}),
        ("name: 'it''s'\nuri: file:///a b/c\n", {"name": "it's", "uri": "file:///a b/c"}),
        ('name: "a\\tb"\n', {"name": "a\tb"}),
        ("name: a # not of it\n", {"name": "a"}),
        ("name: 'two\n\n  lines'\n", {"name": "two\nlines"}),
        ("tags:\n  a: b\n  c: 1\n", {"tags": {"a": "b", "c": "1"}}),
    ],
)
def test_a_meta_file_is_read_as_yaml(tmp_path: Path, text: str, found: dict[str, object]) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(text)
    assert read_meta(path) == found


@pytest.mark.parametrize("text", ["", "- a\n", "name: 'open\n", "a: b: c\n"])
def test_a_meta_file_that_is_broken_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(text)
    with pytest.raises(MetaError):
        read_meta(path)
    with pytest.raises(MetaError, match="end_time is 'soon'"):
        number({"end_time": "soon"}, "end_time")


def test_the_rest_of_a_store_with_broken_files_comes(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    folder = make_experiment(root, "1", "broken")
    good = make_run(folder, "a" * 32, {"loss": lines(3)})
    (good / "params" / "odd").write_bytes(b"\xff\xfe")
    bad = make_run(folder, "b" * 32, {"loss": lines(3)})
    (bad / "meta.yaml").write_text("start_time: soon\n")
    gone = make_run(folder, "c" * 32, {"loss": lines(3)})
    (gone / "meta.yaml").unlink()
    late = make_run(folder, "d" * 32, {"loss": lines(2) + "1 2 3 4\n"}, start_time=str(NOW + 5))
    (late / "tags" / "mlflow.parentRunId").write_text("e" * 32)
    make_run(folder, "e" * 32, {}, start_time=str(NOW + 9))
    source = MlflowFolder(root)
    runs = {run.id[0]: run for run in source.runs()}
    assert list(runs) == ["a", "e", "d"]
    assert sum(len(piece.steps) for run in runs.values() for piece in run.points()) == 5
    assert sorted(Path(one.where).relative_to(root / "1").as_posix() for one in source.unread()) == [
        f"{'a' * 32}/params/odd",
        f"{'b' * 32}/meta.yaml",
        "c" * 32,
        f"{'d' * 32}/metrics/loss",
    ]


def test_since_leaves_out_what_did_not_change(tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "mlruns", "1", "times")
    for name, start in (("a", NOW), ("b", NOW + 10_000), ("c", NOW)):
        run = make_run(folder, name * 32, {"val/loss": lines(1)}, start_time=str(start))
        for path in run.rglob("*"):
            os.utime(path, (NOW / 1000, NOW / 1000))
    os.utime(run / "metrics" / "val" / "loss", (NOW / 1000 + 10, NOW / 1000 + 10))
    assert [run.id[0] for run in MlflowFolder(tmp_path / "mlruns").runs(NOW + 5_000)] == ["c", "b"]


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no experiment"):
        MlflowFolder(tmp_path)
    with pytest.raises(SourceError, match="is no folder"):
        MlflowFolder(tmp_path / "nowhere")


_ODD_NUMBERS = ["9223372036854775808", "+1", "1_0", "x", "0x5"]
_ODD_VALUES = ["NaN", "-Infinity", "1e999", "nan(1)", "0x1p3", "1,5", "", "true", '"1"']
_NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1).map(str) | st.sampled_from(_ODD_NUMBERS)
_VALUES = st.floats().map(repr) | st.sampled_from(_ODD_VALUES)
_ENDS = st.sampled_from(["\n", "\n", "\r\n", " name with blanks 8f2c\n", "\n\n"])
_LINES = st.tuples(_NUMBERS, _VALUES, _NUMBERS, _ENDS)


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_LINES, max_size=6))
def test_arrow_reads_what_is_read_without_it(tmp_path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    path = tmp_path / "loss"
    path.write_bytes("".join(f"{time} {value} {step}{end}" for time, value, step, end in rows).encode())
    found = []
    for large in (0, 1 << 30):
        unread: list[Unread] = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(metric_files, "LARGE_BYTES", large)
            pieces = list(metric_files.read_metric(path, "loss", unread))
        points = [
            (step, struct.pack("<d", value) if value == value else b"nan", time)
            for piece in pieces
            for step, value, time in zip(piece.steps.tolist(), piece.values.tolist(), piece.times.tolist(), strict=True)
        ]
        found.append((points, unread))
    assert found[0] == found[1]
