"""fleetlog mlflow-ui: how MLflow's server is started."""

from __future__ import annotations

import pytest
from fleetlog.cli import mlflow_ui


def test_runs_made_over_http_and_in_process_have_the_same_files() -> None:
    words = mlflow_ui.server_words("host:7460", "team", "127.0.0.1", 5000, 2)
    told = dict(zip(words[1::2], words[2::2], strict=False))
    assert words[0] == "server"
    assert told["--backend-store-uri"] == told["--registry-store-uri"] == "fleetlog://host:7460/team"
    assert told["--artifacts-destination"] == "fleetlog-artifacts://host:7460/team"
    assert told["--app-name"] == "fleetlog"
    assert told["--default-artifact-root"] == "mlflow-artifacts:/"


def test_without_mlflow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_ui, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"fleetlog\[mlflow-server\]"):
        mlflow_ui.mlflow_ui()
