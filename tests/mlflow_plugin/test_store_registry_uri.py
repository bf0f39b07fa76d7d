"""Where MLflow looks for the registry while it tracks to fleetlog. No server is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import mlflow
import pytest
from fleetlog_mlflow import tracking_store

OURS = "fleetlog://127.0.0.1:1/team"
OTHER = "http://127.0.0.1:1"


class Looks:
    """Finds no module, and counts how often pyspark is looked for."""

    def __init__(self) -> None:
        self.count = 0
        self.of_sql = 0

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        self.count += name == "pyspark"
        self.of_sql += name == "pyspark.sql"
        return None


@pytest.fixture(autouse=True)
def _uris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    mlflow.set_registry_uri(None)
    mlflow.set_tracking_uri(OURS)
    yield
    mlflow.set_registry_uri(None)
    mlflow.set_tracking_uri(None)


@pytest.fixture
def looks() -> Iterator[Looks]:
    found = Looks()
    sys.meta_path.insert(0, found)
    yield found
    sys.meta_path.remove(found)


def test_mlflow_does_not_look_for_spark_at_each_call(looks: Looks) -> None:
    tracking_store(OURS)
    before = looks.count
    for _ in range(10):
        assert mlflow.get_registry_uri() == OURS
    assert looks.count == before


def test_the_registry_uri_is_the_tracking_uri_also_when_that_changes() -> None:
    tracking_store(OURS)
    mlflow.set_tracking_uri(OTHER)
    assert mlflow.get_registry_uri() == OTHER
    mlflow.set_registry_uri("sqlite:///registry.db")
    assert mlflow.get_registry_uri() == "sqlite:///registry.db"


def test_a_registry_uri_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow.set_registry_uri(OTHER)
    tracking_store(OURS)
    assert mlflow.get_registry_uri() == OTHER
    mlflow.set_registry_uri(None)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", OTHER)
    tracking_store(OURS)
    assert mlflow.get_registry_uri() == OTHER


def test_a_registry_uri_that_is_set_to_ours_stays_when_the_tracking_uri_changes() -> None:
    mlflow.set_registry_uri(OURS)
    tracking_store(OURS)
    mlflow.set_tracking_uri(OTHER)
    assert mlflow.get_registry_uri() == OURS


def test_a_store_beside_the_tracking_uri_changes_nothing(looks: Looks) -> None:
    mlflow.set_tracking_uri(OTHER)
    tracking_store(OURS)
    before = looks.count
    assert mlflow.get_registry_uri() == OTHER
    assert looks.count > before


def test_where_spark_may_know_a_registry_it_is_asked(monkeypatch: pytest.MonkeyPatch, looks: Looks) -> None:
    installed = ModuleType("pyspark")
    installed.__path__ = []
    monkeypatch.setitem(sys.modules, "pyspark", installed)
    before = looks.count
    tracking_store(OURS)
    assert mlflow.get_registry_uri() == OURS
    assert looks.of_sql > 0
    assert looks.count == before
