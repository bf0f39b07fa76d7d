"""Files of MLflow's runs that are in S3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import fleetlog
import pytest
from fleetlog.importers import ImportWriter, verify
from fleetlog.importers.mlflow import open_mlflow
from minio import Minio

from tests.client.importers.file_stores import lines, make_experiment, make_run, run_ids
from tests.servers import unique

FILES = {
    "model/weights.bin": bytes(range(256)) * 40_000,
    "model/MLmodel": b"flavors: {}\n",
    "notes/é and a blank.txt": b"notes",
    "empty": b"",
}


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of the test's own, with files below mlflow/1/run/artifacts, as MLflow's environment names it."""
    parts, name = urlsplit(s3_server), unique("import")
    endpoint = f"{parts.hostname}:{parts.port}"
    client = Minio(endpoint, access_key=parts.username, secret_key=parts.password, secure=parts.scheme == "https")
    client.make_bucket(name)
    for path, content in {**FILES, "model/": b"", "../other/file": b"of another run"}.items():
        whole = f"mlflow/1/other/{path[9:]}" if path.startswith("../") else f"mlflow/1/run/artifacts/{path}"
        client.put_object(name, whole, io.BytesIO(content), len(content))
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"{parts.scheme}://{endpoint}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", parts.username or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", parts.password or "")
    yield name
    for found in list(client.list_objects(name, recursive=True)):
        client.remove_object(name, found.object_name or "")
    client.remove_bucket(name)


def _store(folder: Path, experiment: str, uri: str) -> str:
    made = make_experiment(folder / "mlruns", "1", experiment)
    make_run(made, run_ids(experiment, 1)[0], {"loss": lines(3)}, artifact_uri=uri)
    return str(folder / "mlruns")


def test_files_of_a_bucket_come_with_their_run(
    bucket: str, embedded_target: str, experiment: str, tmp_path: Path
) -> None:
    source = open_mlflow(_store(tmp_path, experiment, f"s3://{bucket}/mlflow/1/run/artifacts"))
    client = fleetlog.Client(embedded_target)
    report = ImportWriter(client, source).run()
    assert (report.faults, report.files, report.file_bytes) == ([], len(FILES), sum(map(len, FILES.values())))
    [run] = client.search_runs(experiments=[experiment])
    got = client.download_artifacts(run, None, tmp_path / "got")
    assert {path.relative_to(tmp_path / "got").as_posix(): path.read_bytes() for path in map(Path, got)} == FILES
    assert verify(client, source).differences == []
    again = ImportWriter(client, source).run()
    assert (again.files, again.faults) == (0, [])


def test_a_copy_that_is_named_is_read_instead(bucket: str, experiment: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "mlflow" / "1" / "run" / "artifacts" / "notes.txt"
    copy.parent.mkdir(parents=True)
    copy.write_text("a copy")
    place = _store(tmp_path, experiment, f"s3://{bucket}/mlflow/1/run/artifacts")
    [run] = open_mlflow(place, tmp_path / "copy").runs()
    assert [file.path for file in run.files()] == ["notes.txt"]


def test_a_bucket_that_refuses_is_named_once_and_the_rest_comes(
    bucket: str, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    uri = f"s3://{bucket}/mlflow/1/run/artifacts"
    source = open_mlflow(_store(tmp_path, experiment, uri))
    [run] = source.runs()
    for _ in range(2):
        assert list(run.files()) == []
    assert sum(len(piece.steps) for piece in run.points()) == 3
    [fault] = source.unread()
    assert uri in fault.why
    assert "S3 refuses: SignatureDoesNotMatch" in fault.why
    assert "--artifacts" in fault.why
