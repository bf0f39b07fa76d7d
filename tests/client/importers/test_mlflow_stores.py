"""Stores that MLflow made itself, read and imported; and counted as MLflow was called.

Folders and databases of SQLite of two versions, a database of PostgreSQL, and MLflow's server over that one.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from fleetlog.importers import ImportWriter, verify
from fleetlog.importers.mlflow import MlflowSource, open_mlflow

from tests.client.importers.mlflow_server import RunningMlflow, running_mlflow
from tests.servers import unique

DATA = Path(__file__).parents[2] / "data" / "mlflow"
STORES = [*sorted(path.name for path in DATA.glob("*.gz")), "postgresql", "server"]
Opened = tuple[MlflowSource, dict[str, Any]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMlflow]:
    """MLflow's server, for as long as this file's tests run."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """A store, and what MLflow was told to keep in it."""
    if request.param not in ("postgresql", "server"):
        return _opened(request.param, tmp_path)
    served: RunningMlflow = request.getfixturevalue("served")
    if request.param == "server":
        return open_mlflow(served.http), served.expected
    return open_mlflow(served.postgres, served.artifacts), served.expected


def _opened(name: str, folder: Path) -> Opened:
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


def test_all_that_mlflow_was_told_is_read(store: Opened) -> None:
    source, expected = store
    experiments = {one.name: one for one in source.experiments()}
    assert experiments["first"].tags["mlflow.note.content"] == "notes of it"
    runs = {run.name: run for run in source.runs()}
    assert {name: run.id for name, run in runs.items()} == expected["ids"]
    assert list(runs).index("parent") < list(runs).index("child")
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
    assert parent.output_models == [tuple(one) for one in expected.get("outputs", ())]
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


def test_all_of_it_is_imported_with_its_models(store: Opened, embedded_target: str) -> None:
    source, expected = store
    client = fleetlog.Client(embedded_target, unique("store"))
    report = ImportWriter(client, source).run()
    # Files of a database's runs are where MLflow was, which is not here: these have none.
    assert report.faults == []
    assert (report.runs, report.models, report.versions) == (len(expected["ids"]), 1, 2)
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


def test_postgresql_and_the_server_over_it_give_the_same(served: RunningMlflow, embedded_target: str) -> None:
    kept = {path: len(path.read_bytes()) for path in served.artifacts.rglob("*") if path.is_file()}
    clients = {}
    for source in (open_mlflow(served.postgres, served.artifacts), open_mlflow(served.http)):
        client = clients[type(source)] = fleetlog.Client(embedded_target, unique("store"))
        report = ImportWriter(client, source).run()
        assert report.faults == []
        assert (report.points, report.runs) == (
            served.counted("SELECT count(*) FROM metrics"),
            served.counted("SELECT count(*) FROM runs"),
        )
        assert (report.files, report.file_bytes) == (len(kept), sum(kept.values()))
        assert report.logged_models == served.counted("SELECT count(*) FROM logged_models")
        deleted = client.get_experiment("deleted")
        assert (deleted.deleted, deleted.tags["why"]) == (True, "of no use")
    # What came by one way is what the other one reads.
    by_postgres, by_http = clients.values()
    assert verify(by_http, open_mlflow(served.postgres, served.artifacts)).differences == []
    assert verify(by_postgres, open_mlflow(served.http)).differences == []
