"""Texts that mean harm, in each argument of each call of the plugin's stores, with a server behind them."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fleetlog.mlflow_plugin.registry import FleetlogRegistryStore
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import Metric, Param, RunTag
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.store.model_registry.abstract_store import AbstractStore as AbstractRegistryStore
from mlflow.store.tracking.abstract_store import AbstractStore

from tests.mlflow_plugin.hostile_calls import hostile_calls
from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
TEXTS = {"odd": "' OR 1=1 --\\a\x00b\x1b[31m\u202e/../%2e%2e%2f<script>${x}", "long": "n" * 20_000}
CODES = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
    "RESOURCE_EXHAUSTED",
}
TELLING = ("Traceback", "SELECT ", "site-packages", "FROM runs", "WHERE namespace")
NOT_ABSTRACT = frozenset({
    "delete_tag", "log_logged_model_params", "get_metric_history_bulk", "get_metric_history_bulk_interval",
    "_search_datasets", "_load_dataset_records", "_hard_delete_run", "_hard_delete_experiment",
    "_hard_delete_logged_model",
})  # fmt: skip
"""Calls that MLflow makes beside those of its abstract class."""


@pytest.fixture
def uri(embedded_target: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace of the test's own, which is MLflow's tracking server too."""
    found = f"fleetlog://{embedded_target}/{unique('hostile')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found)
    return found


def own_calls(store: type, abstract: type) -> frozenset[str]:
    """Calls of MLflow's that the plugin answers itself."""
    asked = {name for name in dir(abstract) if not name.startswith("_")} | NOT_ABSTRACT
    return frozenset(
        name
        for name, found in inspect.getmembers(store, inspect.isfunction)
        if name in asked and found.__module__.startswith("fleetlog.")
    )


def tried(calls: Iterator[tuple[str, Callable[[], Any]]]) -> list[str]:
    """What became of each call that neither succeeded nor was refused in words that can be shown to anybody."""
    wrong: list[str] = []
    for name, call in calls:
        try:
            call()
        except MlflowException as error:
            telling = any(word in error.message for word in TELLING)
            if error.error_code not in CODES or telling or (is_own(error) and len(error.message) > 1_100):
                wrong.append(f"{name} {error.error_code}: {error.message[:100]!a}")
        except NotImplementedError:
            pass
        except Exception as error:
            wrong.append(f"{name} {type(error).__name__}: {str(error)[:100]!a}")
    return wrong


def is_own(error: Exception) -> bool:
    """True if the plugin said it, and not a check of MLflow's own."""
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    return str(last.f_globals["__name__"]).startswith("fleetlog.")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_each_call_for_runs_takes_a_text_as_it_is_or_refuses_it(uri: str, text: str) -> None:
    store = FleetlogStore(uri)
    run = store.create_run("0", "user", 1, [], "run").info.run_id
    store.log_batch(run, [Metric("loss", 1.0, 1, 1)], [Param("lr", "1")], [RunTag("a", "b")])
    dataset = store.create_dataset("data", {}, ["0"])
    store.register_scorer("0", "scorer", "{}")
    fitting = {
        "experiment_id": "0", "run_id": run, "run_ids": [run], "metric_key": "loss", "key": "a", "max_results": 5,
        "model_id": store.create_logged_model("0", "m", run).model_id, "start_step": None, "end_step": None,
        "steps": [1], "dataset_id": dataset.dataset_id, "name": "scorer", "metric": Metric("loss", 1.0, 1, 1),
        "issue_id": store.create_issue("0", "issue", "text").issue_id, "experiment_ids": ["0"], "sample_rate": 0.5,
        "run_status": None, "end_time": None, "run_name": "run", "start_time": 1,
        "status": "READY", "mlflow_model": Model(),
        "view_type": 1, "filter_string": None, "order_by": None, "page_token": None, "run_view_type": 1,
    }  # fmt: skip
    assert tried(hostile_calls(store, own_calls(FleetlogStore, AbstractStore), fitting, text)) == []
    store.flush_async_logging()
    found = FleetlogStore(f"{uri}?wait=applied").get_run(run)
    assert (found.data.metrics["loss"], found.data.params["lr"], found.data.tags["a"]) == (1.0, "1", "b")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_each_call_for_models_takes_a_text_as_it_is_or_refuses_it(
    uri: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow looks up the host of a URL before it asks its store, unless it may be of any network.
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    store = FleetlogRegistryStore(uri)
    store.create_registered_model("good")
    store.create_model_version("good", "s3://x")
    event = WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED)
    fitting = {
        "name": "good", "version": "1", "description": "fine", "stage": "None", "archive_existing_versions": False,
        "url": "https://hooks.invalid/x", "events": [event], "event": event, "alias": "champion", "webhook_id": "1",
        "source": "s3://x", "key": "a",
    }  # fmt: skip
    assert tried(hostile_calls(store, own_calls(FleetlogRegistryStore, AbstractRegistryStore), fitting, text)) == []
    assert store.get_model_version("good", 1).source == "s3://x"
