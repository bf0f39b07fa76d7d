from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fleetlog._imports.table_files import read_table, with_ids
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


def test_csv_as_other_tools_write_it(tmp_path: Path) -> None:
    expected = {"run_id": ["r1", "r2"], "metrics.loss": [0.5, 0.4], "params.note": ["a, b", None]}
    kinds = {
        "comma": 'run_id,metrics.loss,params.note\nr1,0.5,"a, b"\nr2,0.4,\n',
        "mark": '\ufeffrun_id,metrics.loss,params.note\r\nr1,0.5,"a, b"\r\nr2,0.4,\r\n',
        "semicolon": 'run_id;metrics.loss;params.note\nr1;0,5;a, b\nr2;"0,4";\n',
        "tab": "run_id\tmetrics.loss\tparams.note\nr1\t0.5\ta, b\nr2\t0.4\t\n",
        "bar": "run_id|metrics.loss|params.note\nr1|0.5|a, b\nr2|0.4|\n",
        "index": ',run_id,metrics.loss,params.note\n0,r1,0.5,"a, b"\n1,r2,0.4,\n',
        "empty lines": '\nrun_id,metrics.loss,params.note\n\nr1,0.5,"a, b"\n,,\nr2,0.4,\n\n , ,\n'.lstrip(),
        "more cells": 'run_id,metrics.loss,params.note\nr1,0.5,"a, b",,\nr2,0.4,,\n',
        "spaces": 'run_id, metrics.loss , params.note\nr1, 0.5,"a, b"\nr2,0.4 ,\n',
    }
    for name, text in kinds.items():
        assert read_table(written(tmp_path, "runs.csv", text)) == expected, name
    (tmp_path / "runs.csv").write_text(kinds["tab"], encoding="utf-16")
    assert read_table(tmp_path / "runs.csv") == expected
    assert read_table(written(tmp_path, "runs.tsv", kinds["tab"])) == expected


def test_large_cells_and_odd_characters_are_read(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    large = "x" * 300_000
    found = read_table(
        written(tmp_path, "runs.csv", f'tags.a,metrics.b\n"{large}",1\n"nul\x00",much\n"two\nlines",2\n')
    )
    assert found == {"tags.a": [large, "nul\x00", "two\nlines"], "metrics.b": [1.0, "much", 2.0]}
    assert csv.field_size_limit() == before


def test_objects_in_json_lines_become_leaves(tmp_path: Path) -> None:
    text = '\ufeff{"params": {"opt": {"lr": 0.1}}, "metrics": {"train": {"loss": 1}}, "tags": {"a": "b"}}\n'
    assert read_table(written(tmp_path, "runs.jsonl", text)) == {
        "params.opt.lr": [0.1], "metrics.train/loss": [1], "tags.a": ["b"],
    }  # fmt: skip


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
        ("runs.txt", "", "a .csv, .tsv, .jsonl or .parquet file"),
        ("runs.csv", "", "no header line"),
        ("runs.csv", "a,a\n", "'a' stands twice"),
        ("runs.csv", "a,b\n1\n", "runs.csv:2: 1 cells, the header has 2"),
        ("runs.csv", 'a,b\n1,2\n"1,2\n3,4\n', "runs.csv:3 to 4 .is a quote left open.*1 cells, the header has 2"),
        ("runs.csv", "a,b\n1,2,3\n", "runs.csv:2: 3 cells, the header has 2"),
        ("runs.csv", ",,\n1,2,3\n", "no header line"),
        ("runs.jsonl", "{}\n{", "runs.jsonl:2: "),
        ("runs.jsonl", "[" * 100_000, "runs.jsonl:1: it is nested too deep"),
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


@pytest.mark.parametrize("name", ["runs.csv", "runs.jsonl"])
def test_a_file_in_another_encoding_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("tags.a,b\ncafé,1\n".encode("latin-1"))
    if name.endswith("jsonl"):
        (tmp_path / name).write_bytes('{"tags.a": "café"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="save it as UTF-8"):
        read_table(tmp_path / name)


def test_compressed_files_are_read_as_what_is_in_them(tmp_path: Path) -> None:
    for name, text in (
        ("runs.csv", "name,metrics.loss\none,1.5\n"),
        ("runs.jsonl", '{"name": "one", "metrics": {"loss": 1.5}}\n'),
    ):
        with gzip.open(tmp_path / f"{name}.gz", "wt") as file:
            file.write(text)
        assert read_table(tmp_path / f"{name}.gz") == {"name": ["one"], "metrics.loss": [1.5]}
    whole = (tmp_path / "runs.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-6])
    with pytest.raises(ValueError, match="cut off"):
        read_table(tmp_path / "cut.csv.gz")


def test_other_encodings_are_read_when_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes("name,params.größe\nübung,3\n".encode("cp1252"))
    with pytest.raises(ValueError, match="name its encoding"):
        read_table(path)
    assert read_table(path, "cp1252") == {"name": ["übung"], "params.größe": [3]}
    with pytest.raises(ValueError, match="is no encoding"):
        read_table(path, "klingon")
    with pytest.raises(ValueError, match="it is not ascii"):
        read_table(path, "ascii")
