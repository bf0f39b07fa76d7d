"""fleetlog import and fleetlog export: what they bring, say and end with."""

from __future__ import annotations

import json
from pathlib import Path

import fleetlog
from fleetlog.cli.import_source import SHOWN
from fleetlog.importers import Points, open_source, verify

from tests.client.cli.in_process import said
from tests.client.importers.file_stores import lines, make_experiment, make_run, run_ids


def _store(folder: Path, experiment: str) -> Path:
    """Three runs: one of two series and a file, one that is deleted, one that goes on."""
    made = make_experiment(folder / "mlruns", "1", experiment)
    first, second, third = run_ids(experiment, 3)
    run = make_run(made, first, {"loss": lines(500), "val/acc": lines(500) + lines(3), "odd": "1 nan 2\n1 inf 2\n"})
    (run / "artifacts").mkdir()
    (run / "artifacts" / "notes.txt").write_text("notes")
    make_run(made, second, {"loss": lines(1)}, lifecycle_stage="deleted")
    make_run(made, third, {"loss": lines(2)}, status=1)
    return folder / "mlruns"


def test_a_store_is_imported_and_compared(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    store = _store(tmp_path, experiment)
    dry = said(embedded_target, "import", "mlflow", str(store), "--dry-run", "--json")
    assert (dry.code, json.loads(dry.out)["points"]) == (0, 1_008)
    done = said(embedded_target, "import", "mlflow", str(store), "--verify", "--json")
    found = json.loads(done.out)
    assert (done.code, found["runs"], found["points"], found["files"], found["faults"]) == (0, 3, 1_008, 1, [])
    assert (found["verified"]["is_same"], found["verified"]["points"]) == (True, 1_008)
    metric = store / "1" / run_ids(experiment, 1)[0] / "metrics" / "loss"
    metric.write_text(metric.read_text() + "broken\n")
    again = said(embedded_target, "import", "mlflow", str(store))
    assert again.code == 1
    assert f"{metric}, at {len(lines(500)):,}" in again.err


def test_a_source_that_is_none_says_what_was_expected(embedded_target: str, tmp_path: Path) -> None:
    for arguments, told in (
        (["nothing", "x"], "there are mlflow"),
        (["mlflow", str(tmp_path / "nowhere")], "is not there"),
        (["mlflow", str(tmp_path), "-o", "speed=9"], "takes no speed"),
        (["mlflow", str(tmp_path), "--since", "soon"], "is no time"),
    ):
        done = said(embedded_target, "import", *arguments)
        assert done.code == 2
        assert told in " ".join(done.err.split())


def test_of_tables_it_is_said_what_their_columns_are_read_as(
    embedded_target: str, experiment: str, tmp_path: Path
) -> None:
    for number in range(SHOWN + 1):
        (tmp_path / f"{number:02}.csv").write_text(f"step,loss\n1,{number}\n")
    done = said(embedded_target, "import", "table", str(tmp_path / "00.csv"), "-e", experiment)
    told = done.err.partition("was changed")[0]
    assert (done.code, "step: column step; time: the file's; metrics: loss" in " ".join(told.split())) == (0, True)
    many = said(embedded_target, "import", "table", str(tmp_path), "-e", experiment)
    assert (many.code, "and further files: --dry-run has all of it" in " ".join(many.err.split())) == (0, True)


def test_what_is_exported_and_imported_has_the_same_checksums(
    embedded_target: str, experiment: str, tmp_path: Path
) -> None:
    client = fleetlog.Client(embedded_target)
    assert said(embedded_target, "import", "mlflow", str(_store(tmp_path, experiment))).code == 0
    for form, kind, space in (("parquet", "fleetlog", "from-parquet"), ("mlruns", "mlflow", "from-mlruns")):
        folder = tmp_path / f"as-{form}"
        done = said(embedded_target, "export", "-e", experiment, "--to", form, "-o", str(folder))
        assert (done.err, done.code, done.out.split(" written")[0]) == ("", 0, "3 runs, 1,008 points, 1 files")
        # The server that they came from has the same as the folder, and the one that they go to as well.
        assert verify(client, open_source(kind, folder)).differences == []
        there = ["--namespace", space, "--verify", "--json"]
        back = json.loads(said(embedded_target, "import", kind, str(folder), *there).out)
        assert (back["faults"], back["verified"]["differences"]) == ([], [])
        assert (back["new_runs"], back["points"], back["files"]) == (3, 1_008, 1)
        here = {run.id: run for run in fleetlog.Client(embedded_target, space).search_runs(deleted="all")}
        for run in client.search_runs(experiments=[experiment], deleted="all"):
            one = here[run.id]
            assert (one.state, one.start_time, one.end_time, one.name) == (
                run.state, run.start_time, run.end_time, run.name,
            )  # fmt: skip


def test_parquet_is_read_as_it_is(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    import polars

    assert said(embedded_target, "import", "mlflow", str(_store(tmp_path, experiment))).code == 0
    folder = tmp_path / "parquet"
    assert said(embedded_target, "export", "-e", experiment, "-o", str(folder)).code == 0
    points = polars.read_parquet(folder / "points" / "**" / "*.parquet", hive_partitioning=True)
    assert points.group_by("key").len().sort("key").rows() == [("loss", 503), ("odd", 2), ("val/acc", 503)]
    runs = polars.read_parquet(folder / "runs" / "*.parquet")
    assert sorted(runs["state"].to_list()) == ["FINISHED", "FINISHED", "RUNNING"]
    assert (
        folder / "files" / runs.filter(polars.col("points") > 1_000)["run_id"][0] / "notes.txt"
    ).read_text() == "notes"


def test_the_digests_of_series_do_not_depend_on_their_order() -> None:
    from fleetlog.importers.digests import SeriesDigest
    from numpy import array, float64, int64, nan

    one, other, different = SeriesDigest(), SeriesDigest(), SeriesDigest()
    one.add(Points("a", array([1, 2, 2], int64), array([0.1, nan, -0.0], float64), array([5, 6, 7], int64)))
    other.add(Points("a", array([2], int64), array([-0.0], float64), array([7], int64)))
    other.add(Points("a", array([2, 1], int64), array([nan, 0.1], float64), array([6, 5], int64)))
    different.add(Points("a", array([1, 2, 2], int64), array([0.1, nan, 0.0], float64), array([5, 6, 7], int64)))
    assert one == other
    assert one.points != different.points
