"""Names, tags and URIs that somebody chose to do harm, through MLflow's calls, with a server behind them.

What another namespace has is not there. test_store_every_call.py has each argument of each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fleetlog.mlflow_plugin.registry import FleetlogRegistryStore
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
TEXTS = ["' OR 1=1 --", "a\x00b\x1b[31m\u202ec", "../<script>${x}%2e%2e%2f\\'"]
TELLING = ("Traceback", "SELECT ", "site-packages", "FROM runs", "WHERE namespace")


@pytest.fixture
def uri(embedded_target: str) -> str:
    return f"fleetlog://{embedded_target}/{unique('attacks')}"


def answer(call: Callable[[], Any]) -> str:
    """Code that a call is refused with, in words that tell nothing of the server; "" where it is taken."""
    told = ""
    try:
        call()
    except MlflowException as error:
        told, code = error.message, str(error.error_code)
    else:
        return ""
    assert [word for word in TELLING if word in told] == []
    return code


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_within_a_filter_is_a_literal_or_refused(uri: str, text: str) -> None:
    store, registry = FleetlogStore(uri), FleetlogRegistryStore(uri)
    store.log_param(store.create_run("0", "user", 1, [], "run").info.run_id, Param("x", "1"))
    registry.create_registered_model("good")
    found: list[Any] = []
    searches: list[Callable[[], Any]] = [
        lambda: found.extend(store.search_runs(["0"], f"params.x = '{text}'", 1)),
        lambda: found.extend(store.search_runs(["0"], f'params."{text}" = "1"', 1)),
        lambda: found.extend(store.search_experiments(filter_string=f"name = '{text}'")),
        lambda: found.extend(store.search_logged_models(["0"], f"name = '{text}'")),
        lambda: found.extend(registry.search_model_versions(f"name = '{text}'")),
        lambda: found.extend(registry.search_registered_models(f"name = '{text}'")),
    ]
    assert {answer(search) for search in searches} <= {"", "INVALID_PARAMETER_VALUE"}
    assert found == []


def test_runs_and_models_of_another_namespace_are_not_there(embedded_target: str, uri: str) -> None:
    store, registry = FleetlogStore(uri), FleetlogRegistryStore(uri)
    run = store.create_run("0", "user", 1, [], "private").info.run_id
    store.log_param(run, Param("secret", "s"))
    model = store.create_logged_model("0", "private", run).model_id
    registry.create_registered_model("m")
    registry.create_model_version("m", "s3://x")
    other = f"fleetlog://{embedded_target}/{unique('thief')}"
    thief, thieves = FleetlogStore(other), FleetlogRegistryStore(other)
    taken: list[Callable[[], Any]] = [
        lambda: thief.get_run(run), lambda: thief.log_param(run, Param("a", "b")),
        lambda: thief.set_tag(run, RunTag("a", "b")), lambda: thief.log_metric(run, Metric("a", 1.0, 1, 1)),
        lambda: thief.delete_run(run), lambda: thief.restore_run(run),
        lambda: thief.get_logged_model(model), lambda: thief.delete_logged_model(model),
        lambda: thieves.get_registered_model("m"), lambda: thieves.get_model_version("m", 1),
        lambda: thieves.delete_registered_model("m"), lambda: thieves.rename_registered_model("m", "mine"),
        lambda: thieves.transition_model_version_stage("m", 1, "Production", False),
        lambda: thieves.delete_model_version("m", 1),
        lambda: thieves.set_registered_model_alias("m", "a", 1), lambda: thieves.get_model_version_download_uri("m", 1),
    ]  # fmt: skip
    assert [answer(call) for call in taken] == ["RESOURCE_DOES_NOT_EXIST"] * len(taken)
    assert thief.search_runs(["0"], "", 1) == []
    assert thieves.search_registered_models() == []
    assert store.get_run(run).data.params == {"secret": "s"}


@pytest.mark.parametrize(
    "wrong",
    ["fleetlog://h:1/../x", "fleetlog://h:1/a/b", "fleetlog://h:1/a?wait=' OR 1", "fleetlog://h:1/a?artifacts=",
     "fleetlog://h:1/a?x=\x1b[31m", "fleetlog://h:1/%2e%2e"],
)  # fmt: skip
def test_a_uri_that_is_none_is_refused_before_anything_is_asked(wrong: str) -> None:
    assert answer(lambda: FleetlogStore(wrong)) == "INVALID_PARAMETER_VALUE"
    assert answer(lambda: FleetlogRegistryStore(wrong)) == "INVALID_PARAMETER_VALUE"
