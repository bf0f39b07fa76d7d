"""Commands that change runs, bring their files and write them to files; runs are named by their first digits."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import fleetlog
import pyarrow.parquet
import pytest
from fleetlog._imports.table_files import read_table
from fleetlog_core.ids import new_run_id

from tests.client.cli.in_process import said


@dataclass(frozen=True)
class Runs:
    """Two runs whose ids begin with the same 11 digits, of a time that no other test has."""

    target: str
    first: str
    second: str


@pytest.fixture(scope="module")
def runs(embedded_target: str) -> Runs:
    ids = [new_run_id(1_234_567_890_123, bytes([side]) * 10).hex() for side in (0, 0xFF)]
    for number, run_id in enumerate(ids):
        params = {"lr": 0.1 * number, "layers": 2 + number, "model": "a" if number else 7}
        with fleetlog.start_run(
            "changing", f"run {number}", run_id=run_id, params=params, tags={"a b": "c\td"}, target=embedded_target,
            start_time=1_700_000_000_000 + number,
        ) as run:  # fmt: skip
            run.log({"loss": 1 / 3 + number, "gone": float("nan")})
            run.log_text("hello", "notes/a.txt")
    fleetlog.flush(level="applied", target=embedded_target)
    return Runs(embedded_target, *ids)


def test_a_run_is_named_by_as_much_of_its_id_as_tells_it_from_others(runs: Runs) -> None:
    answer = said(runs.target, "runs", "get", runs.first[:14].upper(), "--json")
    assert (answer.code, json.loads(answer.out)["run_id"]) == (0, runs.first)
    diff = said(runs.target, "runs", "diff", runs.first[:14], runs.second[:14], "--json")
    assert {row["what"] for row in json.loads(diff.out)} >= {"params.lr", "metrics.loss"}
    show = said(runs.target, "metrics", "show", runs.second[:14], "loss", "--points")
    assert show.lines[1].split("\t")[-1] == repr(1 / 3 + 1)


def test_a_beginning_of_several_ids_names_them_and_one_of_none_says_so(runs: Runs) -> None:
    answer = said(runs.target, "runs", "get", runs.first[:11])
    assert (answer.code, answer.out) == (1, "")
    assert f"{runs.first} ('run 0'), {runs.second} ('run 1'); give more digits" in answer.err
    nowhere = f"f{secrets.token_hex(6)}"
    assert f"begins with {nowhere}" in said(runs.target, "runs", "delete", nowhere).err
    assert "'loss' is not the 32 hexadecimal digits" in said(runs.target, "runs", "get", "loss").err


def test_runs_are_tagged_renamed_deleted_restored_and_ended(runs: Runs) -> None:
    client, one = fleetlog.Client(runs.target), runs.first[:14]
    assert said(runs.target, "runs", "tag", one, "team=a=b", "stage=x").code == 0
    assert said(runs.target, "runs", "tag", one, "--remove", "stage").code == 0
    assert said(runs.target, "runs", "rename", one, "best").lines == [f"{runs.first} renamed"]
    assert said(runs.target, "runs", "delete", one, runs.second).lines == [
        f"{runs.first} deleted", f"{runs.second} deleted",
    ]  # fmt: skip
    assert len(client.search_runs(experiments="changing")) == 0
    answer = said(runs.target, "runs", "restore", one, runs.second[:14], "--json")
    assert json.loads(answer.out) == [{"run_id": runs.first}, {"run_id": runs.second}]
    assert said(runs.target, "runs", "finish", one, "--state", "killed").code == 0
    view = client.get_run(runs.first)
    assert (view.name, view.state, view.tags) == ("best", "KILLED", {"a b": "c\td", "team": "a=b"})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["team"], "'team' is not KEY=VALUE"), ([], "give KEY=VALUE, or --remove KEY")],
)
def test_a_tag_that_is_none_is_wrong_usage(runs: Runs, arguments: list[str], text: str) -> None:
    answer = said(runs.target, "runs", "tag", runs.first, *arguments)
    assert answer.code == 2
    assert text in " ".join(answer.err.split())


def test_files_are_listed_and_fetched(runs: Runs, tmp_path: Path) -> None:
    answer = said(runs.target, "artifacts", "ls", runs.first[:14])
    assert [line.split("\t")[:2] for line in answer.lines] == [["path", "size_bytes"], ["notes/a.txt", "5"]]
    assert json.loads(said(runs.target, "artifacts", "ls", runs.first[:14], "other", "--json").out) == []
    got = said(runs.target, "artifacts", "get", runs.first[:14], "notes", "--to", str(tmp_path))
    assert (got.code, got.lines) == (0, ["path", str(tmp_path / "notes/a.txt")])
    assert (tmp_path / "notes/a.txt").read_text() == "hello"
    missing = said(runs.target, "artifacts", "get", runs.first[:14], "nothing", "--to", str(tmp_path))
    assert (missing.code, "has no file 'nothing'" in missing.err) == (1, True)


def test_every_form_of_an_export_is_read_again_as_the_same_runs(runs: Runs, tmp_path: Path) -> None:
    client = fleetlog.Client(runs.target)
    before = {run.name: run for run in client.search_runs(experiments="changing")}
    for form in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"out.{form}"
        answer = said(runs.target, "runs", "export", "-e", "changing", "-o", str(path))
        assert (answer.code, answer.err.strip()) == (0, f"2 runs written to {path}")
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", "out.jsonl", "out.parquet"}
    rows = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for found in (rows, lines):
        by_id = {row["run_id"]: row for row in found}
        assert {row["metrics.loss"] for row in found} == {1 / 3, 1 / 3 + 1}
        assert by_id[runs.second]["params.lr"] == before["run 1"].params["lr"]
    head, *cells = (tmp_path / "out.csv").read_text().splitlines()
    assert head.split(",")[:3] == ["run_id", "name", "state"]
    assert len(cells) == 2
    for form in ("csv", "jsonl", "parquet"):
        columns = read_table(tmp_path / f"out.{form}")
        table = {name: column for name, column in columns.items() if name != "run_id"}
        told = client.import_runs(table, f"changing {form}")
        assert (told.imported, told.left_out) == (2, ())
        again = {run.name: run for run in client.get_runs(told.run_ids)}
        for name, run in before.items():
            assert (again[name].state, again[name].tags) == (run.state, run.tags)
            assert again[name].metrics["loss"] == run.metrics["loss"]
            assert again[name].params["lr"] == run.params["lr"]


def test_an_export_to_standard_output_has_the_columns_that_were_asked_for(runs: Runs) -> None:
    names = "run_id,params.lr,tags.a b,metrics.loss"
    answer = said(runs.target, "runs", "export", "-e", "changing", "--columns", names, "--order-by", "metrics.loss ASC")
    assert answer.lines == [
        names, f"{runs.first},0.0,c\td,{1 / 3!r}", f"{runs.second},0.1,c\td,{1 / 3 + 1!r}",
    ]  # fmt: skip
    assert answer.err == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["-o", "x.foo"], "give --format"), (["--columns", "duration"], "can't be exported")],
)
def test_an_export_that_can_not_be_is_wrong_usage(runs: Runs, arguments: list[str], text: str) -> None:
    answer = said(runs.target, "runs", "export", *arguments)
    assert answer.code == 2
    assert text in " ".join(answer.err.replace("│", " ").split())


def test_a_file_that_can_not_be_written_is_told_and_leaves_nothing(runs: Runs, tmp_path: Path) -> None:
    answer = said(runs.target, "runs", "export", "-e", "changing", "-o", str(tmp_path / "no" / "a.csv"))
    assert answer.code == 2
    assert "No such file or directory" in " ".join(answer.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
