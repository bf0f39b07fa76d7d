"""The example for those who come from MLflow, run."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
EXAMPLE = Path(__file__).parents[2] / "examples" / "coming_from_mlflow" / "train.py"


@pytest.fixture
def uri(embedded_target: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A namespace of the test's own; MLflow's settings are as they were afterwards."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    mlflow.set_registry_uri(None)
    yield f"fleetlog://{embedded_target}/{unique('example')}"
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def test_the_champion_is_the_run_with_the_lowest_loss_each_time(uri: str) -> None:
    spec = importlib.util.spec_from_file_location("mlflow_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert [module.main(uri), module.main(uri)] == ["lr=0.01\n", "lr=0.01\n"]
    assert mlflow.MlflowClient().get_model_version_by_alias(module.MODEL, "champion").version == 2
