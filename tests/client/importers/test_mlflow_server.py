"""MLflow's REST, by answers that its server gives, as its documentation has them."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from fleetlog.importers.mlflow_stores import rest_calls
from fleetlog.importers.mlflow_stores.rest_store import MlflowServer
from fleetlog.importers.source import SourceError

NOW = 1_700_000_000_000
_TAGS = [{"key": "mlflow.runName", "value": "one"}, {"key": "t", "value": "1"}]
_INFO = {
    "run_id": "a" * 32, "run_name": "one", "experiment_id": "1", "status": "FINISHED", "start_time": NOW,
    "end_time": NOW + 9, "lifecycle_stage": "active", "user_id": "someone",
}  # fmt: skip
_DATASET = {"name": "web", "digest": "8f2c", "source_type": "s3", "source": "{}", "schema": "{}", "profile": "12 rows"}
_CONTEXT = {"key": "mlflow.data.context", "value": "training"}
_RUN = {
    "info": _INFO,
    "data": {
        "metrics": [{"key": "loss", "value": 1.0, "timestamp": NOW, "step": 2}],
        "params": [{"key": "lr", "value": "0.1"}], "tags": _TAGS,
    },
    "inputs": {"dataset_inputs": [{"dataset": _DATASET, "tags": [_CONTEXT]}]},
    "outputs": {"model_outputs": [{"model_id": "m-1", "step": 3}]},
}  # fmt: skip
_ANSWERS = {
    "experiments/search": {
        "experiments": [{"experiment_id": "1", "name": "first", "lifecycle_stage": "deleted", "tags": _TAGS}]
    },
    "runs/search": {"runs": [_RUN]},
    "metrics/get-history": {
        "metrics": [
            {"key": "loss", "value": "NaN", "timestamp": str(NOW), "step": "1"},
            {"key": "loss", "value": 1.7976931348623157e308, "timestamp": NOW + 1, "step": 2},
        ],
        "next_page_token": "more",
    },
    "metrics/get-history more": {"metrics": [{"key": "loss", "value": 0.5, "timestamp": NOW + 2}]},
    "artifacts/list": {"files": [{"path": "notes", "is_dir": True}, {"path": "a.txt", "file_size": 5}]},
    "artifacts/list notes": {"files": [{"path": "notes/b.txt", "is_dir": False, "file_size": "5"}]},
    "logged-models/search": {"models": [{"info": {
        "model_id": "m-1", "name": "lm", "status": "LOGGED_MODEL_READY", "source_run_id": "a" * 32,
        "creation_timestamp_ms": NOW, "tags": [{"key": "a", "value": "b"}],
    }, "data": {"params": [{"key": "depth", "value": "3"}]}}]},
    "registered-models/search": {
        "registered_models": [{"name": "it's", "description": "d", "aliases": [{"alias": "best", "version": "2"}]}]
    },
    "model-versions/search": {"model_versions": [
        {"name": "it's", "version": "2", "current_stage": "Staging", "source": "s3://b", "run_id": "a" * 32},
        {"name": "it's", "version": "1", "current_stage": "None"},
    ]},
}  # fmt: skip


class _Server(ThreadingHTTPServer):
    failures = 0
    """Calls that are answered with 503 from now on."""
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer by the path, and by the page or folder that is asked for."""
        said = parse_qs(urlsplit(self.path).query)
        self._answer([*said.get("page_token", []), *said.get("path", []), *said.get("artifact_directory_path", [])])

    def do_POST(self) -> None:
        """Answer by the path."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer([])

    def _answer(self, page: list[str]) -> None:
        path = urlsplit(self.path).path
        self.server.asked.append(self.headers.get("Authorization", ""))
        call = " ".join([path.removeprefix("/api/2.0/mlflow/"), *filter(None, page)])
        status, content = 200, b"hello"
        if self.server.failures:
            self.server.failures -= 1
            status, content = 503, b"starting"
        elif path != "/get-artifact":
            found = _ANSWERS.get(call)
            status, content = (404, b"no such call") if found is None else (200, json.dumps(found).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setattr(rest_calls, "RETRY_PAUSES", (0.0, 0.0))
    with _Server(("127.0.0.1", 0), _Handler) as serving:
        serving.asked = []
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_everything_that_a_server_tells_is_read(server: _Server) -> None:
    source = MlflowServer(f"http://someone:secret@127.0.0.1:{server.server_port}")
    [experiment] = source.experiments()
    assert (experiment.name, experiment.deleted, experiment.tags["t"]) == ("first", True, "1")
    [run] = source.runs()
    assert (run.id, run.name, run.state, run.start_time, run.end_time) == ("a" * 32, "one", "FINISHED", NOW, NOW + 9)
    assert (run.deleted, run.params, run.output_models) == (True, {"lr": "0.1"}, [("m-1", 3)])
    assert [(one.name, one.context, one.tags) for one in run.datasets] == [("web", "training", {})]
    [points] = run.points()
    assert (points.steps.tolist(), points.times.tolist()) == ([1, 2, 0], [NOW, NOW + 1, NOW + 2])
    assert (math.isnan(points.values[0]), points.values.tolist()[1:]) == (True, [math.inf, 0.5])
    files = list(run.files())
    assert [(file.path, file.size) for file in files] == [("notes/b.txt", 5), ("a.txt", 5)]
    with files[0].open() as content:
        assert content.read() == b"hello"
    [model] = source.logged_models()
    assert (model.id, model.status, model.run, model.params) == ("m-1", "READY", "a" * 32, {"depth": "3"})
    [registered] = source.registered_models()
    assert (registered.aliases, [one.number for one in registered.versions]) == ({"best": 2}, [1, 2])
    assert (source.unread(), list(source.runs(NOW + 100))) == ([], [])
    assert set(server.asked) == {"Basic c29tZW9uZTpzZWNyZXQ="}


def test_a_server_that_is_starting_is_asked_again_and_one_that_stays_away_is_told(server: _Server) -> None:
    server.failures = 2
    source = MlflowServer(f"http://127.0.0.1:{server.server_port}/")
    server.failures = 3
    with pytest.raises(SourceError, match="does not answer: 503 starting"):
        list(source.runs())


def test_what_a_server_refuses_is_left_out_and_named(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    source = MlflowServer(f"http://127.0.0.1:{server.server_port}")
    [run] = source.runs()
    for call in ("metrics/get-history", "artifacts/list notes", "model-versions/search", "logged-models/search"):
        monkeypatch.delitem(_ANSWERS, call)
    assert list(run.points()) == []
    assert [file.path for file in run.files()] == ["a.txt"]
    assert (list(source.registered_models()), list(source.logged_models())) == ([], [])
    assert [one.where for one in source.unread()] == [
        f"run {'a' * 32}, metric loss",
        f"run {'a' * 32}, files in notes",
        "registered models",
    ]


def test_what_is_no_server_of_mlflow_is_refused(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(_ANSWERS, "experiments/search")
    with pytest.raises(SourceError, match="does not answer as MLflow's server does"):
        MlflowServer(f"http://127.0.0.1:{server.server_port}")
