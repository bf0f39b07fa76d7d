"""Names, tags and URIs that somebody chose to do harm, through MLflow's calls, with a server behind them.

Each is taken as it is, or refused with a code of MLflow's and a message that can be shown to anybody. What another
namespace has is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fleetlog.mlflow_plugin.registry import FleetlogRegistryStore
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import Metric, Param, RunTag
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
CODES = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "REQUEST_LIMIT_EXCEEDED"}
TEXTS = ["' OR 1=1 --", "a\x00b\x1b[31m\u202ec", "../<script>${x}%2e%2e%2f\\'"]
LONG = "n" * 20_000
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


def calls(store: FleetlogStore, registry: FleetlogRegistryStore, text: str) -> Iterator[Callable[[], Any]]:
    """The calls that take a text of a user's, with that text."""
    run = store.create_run("0", "user", 1, [], "run").info.run_id
    yield lambda: store.create_experiment(text)
    yield lambda: store.get_experiment(text)
    yield lambda: store.get_experiment_by_name(text)
    yield lambda: store.get_run(text)
    yield lambda: store.log_metric(run, Metric(text, 1.0, 1, 1))
    yield lambda: store.log_param(run, Param(text, text))
    yield lambda: store.set_tag(run, RunTag(text, text))
    yield lambda: store.delete_tag(run, text)
    yield lambda: store.get_metric_history(text, text)
    yield lambda: store.search_runs(["0"], text, 1)
    yield lambda: store.search_runs(["0"], f"params.x = '{text}'", 1)
    yield lambda: store.search_runs(["0"], "", 1, order_by=[text])
    yield lambda: store.search_runs(["0"], "", 1, page_token=text)
    yield lambda: store.search_experiments(filter_string=text)
    yield lambda: store.get_logged_model(text)
    yield lambda: store.search_logged_models(["0"], text)
    yield lambda: registry.create_registered_model(text, [RegisteredModelTag(text, text)], text)
    yield lambda: registry.get_registered_model(text)
    yield lambda: registry.rename_registered_model("other", text)
    yield lambda: registry.create_model_version("good", text, text, [ModelVersionTag(text, text)], text, text)
    yield lambda: registry.get_model_version("good", text)
    yield lambda: registry.transition_model_version_stage("good", 1, text, False)
    yield lambda: registry.set_registered_model_alias("good", text, 1)
    yield lambda: registry.get_model_version_by_alias("good", text)
    yield lambda: registry.search_registered_models(text)
    yield lambda: registry.search_model_versions(text)
    yield lambda: registry.search_model_versions(f"name = '{text}'")
    yield lambda: registry.search_registered_models(page_token=text)


@pytest.mark.parametrize("text", [*TEXTS, LONG], ids=[*map(ascii, TEXTS), "long"])
def test_a_text_that_means_harm_is_taken_as_it_is_or_refused_by_name(uri: str, text: str) -> None:
    store, registry = FleetlogStore(uri), FleetlogRegistryStore(uri)
    for name in ("good", "other"):
        registry.create_registered_model(name)
    registry.create_model_version("good", "s3://x")
    codes = [answer(call) for call in calls(store, registry, text)]
    assert set(codes) - {""} <= CODES
    assert registry.get_registered_model("good").name == "good"
    assert registry.get_model_version("good", 1).source == "s3://x"
    assert len(store.search_runs(["0"], "", 1)) == 1


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
