"""Tables of runs that W&B and MLflow's page wrote."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from fleetlog._imports.foreign_headers import ForeignHeader
from fleetlog._imports.run_tables import RunTable
from fleetlog._imports.table_files import read_table

WANDB = """"Name","State","Notes","User","Tags","Created","Runtime","Sweep","lr","model.kind","loss"
"swift-sun-1","finished","a note","ann","a, b","2024-01-05T12:00:00.000Z","61.5","","0.001","gpt","0.25"
"calm-sky-2","crashed","","ann","","2024-01-05T13:00:00.000Z","3","","0.01","gpt",""
"""
MLFLOW = """Start Time,Duration,Run ID,Name,Source Type,Source Name,User,Status,lr,opt,loss
2024-01-05 12:00:00,1.2s,0f3c,one,LOCAL,train.py,ann,FINISHED,0.001,adam,0.25
"""


def test_a_table_of_runs_that_wandb_exported_is_read_by_its_header(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "wandb.csv.gz", "wb") as file:
        file.write(WANDB.replace(",", ";").encode("utf-16"))
    header = ForeignHeader()
    columns = read_table(tmp_path / "wandb.csv.gz", "utf-16", header)
    table = RunTable(columns)
    assert (list(table.names or ()), table.params) == (["swift-sun-1", "calm-sky-2"], {"model.kind": ["gpt", "gpt"]})
    assert table.metrics == {"Runtime": [61.5, 3.0], "lr": [0.001, 0.01], "loss": [0.25, None]}
    assert table.tags["mlflow.note.content"] == ["a note", None]
    assert table.tags["tags"] == ["a; b", None]
    assert table.starts == [1_704_456_000_000, 1_704_459_600_000]
    assert "Created as start_time" in header.in_words()
    assert "model.kind as params.model.kind" in header.in_words()


def test_a_column_is_what_it_is_mapped_to(tmp_path: Path) -> None:
    (tmp_path / "mlflow.csv").write_text(MLFLOW)
    header = ForeignHeader.of(["lr:params.lr", "opt:-", "Name:tags.title"])
    table = RunTable(read_table(tmp_path / "mlflow.csv", None, header))
    assert (table.params, table.metrics) == ({"lr": [0.001]}, {"loss": [0.25]})
    assert table.tags == {
        "mlflow.source.type": ["LOCAL"],
        "mlflow.source.name": ["train.py"],
        "source_run_id": ["0f3c"],
        "title": ["one"],
    }
    assert (table.names, "opt is left out" in header.in_words()) == (None, True)


def test_other_tables_have_the_names_of_ours_or_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("name,params.lr,score\na,1,2\n")
    assert list(read_table(tmp_path / "own.csv")) == ["name", "params.lr", "score"]
    header = ForeignHeader.of(["score:metrics.score"])
    assert read_table(tmp_path / "own.csv", None, header) == {"name": ["a"], "params.lr": [1], "metrics.score": [2.0]}
    assert header.names == {"score": "metrics.score"}


@pytest.mark.parametrize(
    ("text", "pairs", "said"),
    [
        ("name,x\na,1\n", ["y:params.y"], "there is no column 'y'"),
        ("name,x\na,1\n", ["x"], "COLUMN:TARGET"),
        ("name,x,z\na,1,2\n", ["x:params.z", "z:params.z"], "would both be params.z"),
        ("Wall time,Step,Value\n1,2,3\n", [], "fleetlog import table"),
    ],
)
def test_what_can_not_be_says_what_to_do(tmp_path: Path, text: str, pairs: list[str], said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_table(tmp_path / "a.csv", None, ForeignHeader.of(pairs))
