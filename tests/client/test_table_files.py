from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fleetlog.table_files import read_table, with_ids
from pyarrow import parquet


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_has_types_where_a_whole_column_has_one(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "runs.csv",
        "name,params.lr,params.n,params.mixed,params.zip,params.on,metrics.loss,tags.n\n"
        'one,1e-3,1,1,007,true,nan,1\n"two, or so",,2,x,012,False,3,2\n\n',
    )
    assert read_table(path) | {"metrics.loss": None} == {
        "name": ["one", "two, or so"],
        "params.lr": [1e-3, None],
        "params.n": [1, 2],
        "params.mixed": ["1", "x"],
        "params.zip": ["007", "012"],
        "params.on": [True, False],
        "metrics.loss": None,
        "tags.n": ["1", "2"],
    }
    assert [str(value) for value in read_table(path)["metrics.loss"]] == ["nan", "3.0"]


def test_json_lines_may_nest(tmp_path: Path) -> None:
    path = written(
        tmp_path, "runs.jsonl", '{"name": "a", "params": {"lr": 0.1}}\n\n{"metrics.loss": 2.5, "metrics": {"acc": 1}}\n'
    )
    assert read_table(path) == {
        "name": ["a", None], "params.lr": [0.1, None], "metrics.loss": [None, 2.5], "metrics.acc": [None, 1],
    }  # fmt: skip


def test_parquet(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"params.lr": [0.1, None], "metrics.loss": [1.0, 2.0]}), tmp_path / "runs.parquet")
    found = read_table(tmp_path / "runs.parquet")
    assert {name: list(column) for name, column in found.items()} == {
        "params.lr": [0.1, None],
        "metrics.loss": [1.0, 2.0],
    }


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("runs.txt", "", "a .csv, .jsonl or .parquet file"),
        ("runs.csv", "", "no header line"),
        ("runs.csv", "a,a\n", "'a' stands twice"),
        ("runs.csv", "a,b\n1\n", "runs.csv:2: 1 cells, the header has 2"),
        ("runs.jsonl", "{}\n{", "runs.jsonl:2: "),
        ("runs.jsonl", "[1]", "runs.jsonl:1: a run is an object"),
        ("runs.parquet", "PAR1", "runs.parquet is no Parquet file"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_table(written(tmp_path, name, text))


def test_a_file_has_the_same_ids_each_time(tmp_path: Path) -> None:
    path = written(tmp_path, "runs.csv", "metrics.loss\n1\n2\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    once, again = (with_ids(read_table(path), path, "sweeps") for _ in range(2))
    assert once == again
    assert len(set(once["run_id"])) == 2
    assert once["start_time"][0].timestamp() == 1_700_000_000
    assert with_ids(read_table(path), path, "other")["run_id"] != once["run_id"]
    path.write_text("metrics.loss\n1\n3\n")
    assert set(with_ids(read_table(path), path, "sweeps")["run_id"]).isdisjoint(once["run_id"])
    own: dict[str, Sequence[Any]] = {"attributes.run_id": ["x"], "start_time": [1]}
    assert with_ids(own, path, "sweeps") == own
