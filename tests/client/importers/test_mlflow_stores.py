"""Stores that MLflow made itself, at two versions, read and imported; and counted as MLflow was called."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog.importers import ImportWriter, verify
from fleetlog.importers.mlflow import MlflowSource, open_mlflow

DATA = Path(__file__).parents[2] / "data" / "mlflow"
STORES = sorted(path.name for path in DATA.glob("*.gz"))


def _opened(name: str, folder: Path) -> tuple[MlflowSource, dict[str, Any]]:
    """The store, and what MLflow was told to keep in it."""
    path = DATA / name
    expected: dict[str, Any] = json.loads(
        (DATA / f"{name.removesuffix('.tar.gz').removesuffix('.db.gz')}.json").read_text()
    )
    if name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        return open_mlflow(str(folder / "mlruns")), expected
    (folder / "mlflow.db").write_bytes(gzip.decompress(path.read_bytes()))
    return open_mlflow(f"sqlite:///{folder / 'mlflow.db'}"), expected


@pytest.mark.parametrize("name", STORES)
def test_all_that_mlflow_was_told_is_read(name: str, tmp_path: Path) -> None:
    source, expected = _opened(name, tmp_path)
    experiments = {one.name: one for one in source.experiments()}
    assert experiments["first"].tags["mlflow.note.content"] == "notes of it"
    runs = {run.name: run for run in source.runs()}
    assert [run.id for run in runs.values()] == [expected["ids"][run] for run in ("parent", "child", "gone")]
    for run, wanted in expected["points"].items():
        found = [
            [piece.key, step, repr(value), time]
            for piece in runs[run].points()
            for step, value, time in zip(piece.steps.tolist(), piece.values.tolist(), piece.times.tolist(), strict=True)
        ]
        assert sorted(found, key=str) == sorted(wanted, key=str)
    parent, child = runs["parent"], runs["child"]
    assert (parent.state, parent.end_time, child.state, child.parent) == (
        "FINISHED",
        1_700_000_070_000,
        "FAILED",
        parent.id,
    )
    assert (runs["gone"].deleted, parent.deleted, parent.params) == (True, False, {"lr": "0.001", "opt/name": "adam"})
    assert parent.tags["odd"] == "two\nlines: 'x' # é"
    [dataset] = parent.datasets
    assert [dataset.name, dataset.digest, dataset.context, dataset.profile] == expected["dataset"]
    [model] = source.registered_models()
    assert (model.name, model.description, model.tags["team"], model.aliases) == (
        "reg",
        "of the registry",
        "a",
        {"champion": 1},
    )
    assert [(one.number, one.stage, one.run) for one in model.versions] == [
        (1, "None", parent.id),
        (3, "Production", parent.id),
    ]
    logged = list(source.logged_models())
    assert [one.id for one in logged] == ([expected["logged_model"]] if "logged_model" in expected else [])
    assert [one for one in source.unread() if one.is_fault] == []


@pytest.mark.parametrize("name", STORES)
def test_all_of_it_is_imported_with_its_models(name: str, embedded_target: str, tmp_path: Path) -> None:
    source, expected = _opened(name, tmp_path)
    client = fleetlog.Client(embedded_target, "store-" + name.partition(".")[0].replace("_", "-"))
    report = ImportWriter(client, source).run()
    # Files of a database's runs are where MLflow was, which is not here: these have none.
    assert report.faults == []
    assert (report.runs, report.models, report.versions) == (3, 1, 2)
    assert report.points == sum(len(points) for points in expected["points"].values())
    assert verify(client, source).differences == []
    versions = {one.version: one for one in client.versions("reg")}
    assert sorted(versions) == [1, 3]
    assert (versions[3].stage, versions[1].aliases, versions[1].description) == (
        "Production",
        ("champion",),
        "a version",
    )
    [parent] = client.search_runs("attributes.name = 'parent'")
    assert (versions[1].run_id, versions[1].artifact_path) == (parent.id, "model")
    assert versions[1].storage_location.endswith(f"/{parent.id}/artifacts/model")
    [child] = client.search_runs("attributes.name = 'child'")
    assert (child.parent_id, child.tags["mlflow.parentRunId"]) == (parent.id, parent.id)
    again = ImportWriter(client, source).run()
    assert (again.faults, again.new_runs, again.points, again.files) == ([], 0, 0, 0)
    assert sorted(one.version for one in client.versions("reg")) == [1, 3]
