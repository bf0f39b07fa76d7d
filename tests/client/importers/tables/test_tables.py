"""Histories in tables, with the headers of other tools."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from fleetlog.importers.source import SourceError, SourceRun
from fleetlog.importers.tables.headers import Header, Series, header_of
from fleetlog.importers.tables.source import TableSource, open_tables

MILLIS = 1_700_000_000_000
Found = dict[str, list[tuple[int, float, int]]]


def test_what_the_columns_are_is_said_by_their_names() -> None:
    assert header_of(["Wall time", "Step", "Value"], "run-a_b-tag-loss_train", {}) == Header(
        "Step", "Wall time", [Series("Value", "loss_train", "a_b")]
    )
    assert header_of(["", "_step", "_runtime", "_timestamp", "loss"], "0000", {}) == Header(
        "_step", "_timestamp", [Series("loss", "loss")],
        {"": "the index of a data frame", "_runtime": "the time since the start"},
    )  # fmt: skip
    chart = header_of(["Step", "one - loss", "one - loss__MIN", "two words - loss"], "export", {})
    assert chart.series == [Series("one - loss", "loss", "one"), Series("two words - loss", "loss", "two words")]
    assert list(chart.left_out) == ["one - loss__MIN"]
    mapped = header_of(["a", "b", "c", "step"], "x", {"a": "step", "b": "train/loss", "c": "-"})
    assert (mapped.step, mapped.series) == ("a", [Series("b", "train/loss"), Series("step", "step")])
    with pytest.raises(ValueError, match="there is no column 'q'"):
        header_of(["a"], "x", {"q": "step"})


def test_tables_that_tensorboard_downloads_are_series_of_their_runs(tmp_path: Path) -> None:
    for key in ("loss", "accuracy"):
        text = f"Wall time,Step,Value\n{MILLIS / 1000 + 0.25},1,0.5\n{MILLIS / 1000 + 1},2,nan\n"
        (tmp_path / f"run-train-tag-{key}.csv").write_text(text)
    source, runs = _runs(tmp_path)
    assert list(runs) == ["train"]
    assert _points(runs["train"])["accuracy"][0] == (1, 0.5, MILLIS + 250)
    assert sorted(_points(runs["train"])) == ["accuracy", "loss"]
    assert runs["train"].start_time == MILLIS + 250
    assert [one.is_fault for one in source.unread()] == [False, False]
    assert "column Step" in source.unread()[0].why


def test_histories_of_data_frames_come_with_gaps_and_without_their_index(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"_step": [0, 1, 5], "_timestamp": [MILLIS / 1000] * 3, "loss": [3.0, None, 1.0], "note": ["a", None, "b"]}
    )
    frame.to_csv(tmp_path / "run one.csv")
    frame.to_parquet(tmp_path / "run two.parquet", index=False)
    source, runs = _runs(tmp_path)
    for run in runs.values():
        assert _points(run) == {"loss": [(0, 3.0, MILLIS), (5, 1.0, MILLIS)]}
    counts = [(one.count, one.is_fault) for one in source.unread() if "column note" in one.why]
    assert counts == [(2, False), (2, False)]


def test_a_chart_of_several_runs_is_several_runs(tmp_path: Path) -> None:
    (tmp_path / "wandb_export.csv").write_text('"Step","one - loss","two - loss"\n1,0.5,\n2,0.25,0.125\n')
    runs = _runs(tmp_path / "wandb_export.csv")[1]
    assert [point[:2] for point in _points(runs["one"])["loss"]] == [(1, 0.5), (2, 0.25)]
    assert [point[:2] for point in _points(runs["two"])["loss"]] == [(2, 0.125)]


def test_other_encodings_separators_times_and_compressed_files_are_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write("schritt;größe;wann\n1;2.5;2023-11-14T22:13:20Z\n".encode("cp1252"))
    with pytest.raises(SourceError, match="encoding=cp1252"):
        list(TableSource(tmp_path).runs())
    source = open_tables(str(tmp_path), map="schritt:step,wann:time,größe:size", encoding="cp1252")
    (run,) = source.runs()
    assert _points(run) == {"size": [(1, 2.5, MILLIS)]}
    assert datetime.fromtimestamp(MILLIS / 1000, UTC).isoformat() == "2023-11-14T22:13:20+00:00"


def test_lines_that_are_damaged_are_told_and_the_rest_comes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,loss\n1,0.5\n2\n3,x\nmany,1\n4,0.25\n")
    source, runs = _runs(tmp_path)
    assert [point[:2] for point in _points(runs["a"])["loss"]] == [(1, 0.5), (4, 0.25)]
    assert [(one.offset, one.count) for one in source.unread() if one.is_fault] == [(3, 1), (None, 1)]


def test_a_map_that_is_none_and_folders_without_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="COLUMN:TARGET"):
        open_tables(str(tmp_path), map="loss")
    with pytest.raises(SourceError, match="no tables"):
        list(TableSource(tmp_path).runs())
    with pytest.raises(SourceError, match="is not there"):
        open_tables(str(tmp_path / "gone"))


def _runs(path: Path) -> tuple[TableSource, dict[str, SourceRun]]:
    source = TableSource(path)
    return source, {run.name: run for run in source.runs()}


def _points(run: SourceRun) -> Found:
    found: Found = {}
    for points in run.points():
        told = zip(points.steps.tolist(), points.values.tolist(), points.times.tolist(), strict=True)
        found.setdefault(points.key, []).extend(told)
    return found
