"""What MLflow's client relies on, of registered models: through the store, with a server behind it."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fleetlog
import pytest
from fleetlog.mlflow_plugin.registry import FleetlogRegistryStore
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
CLIENTS = 32
RUN = "0190a7b3c4d5e6f708192a3b4c5d6e7f"


@pytest.fixture
def store(embedded_target: str) -> FleetlogRegistryStore:
    """A namespace of the test's own."""
    return FleetlogRegistryStore(f"fleetlog://{embedded_target}/{unique('mlflow')}")


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    """The error code that a call is refused with."""
    with pytest.raises(MlflowException) as refused:
        call(*args, **kwargs)
    return str(refused.value.error_code)


def test_a_version_is_read_back_as_it_was_registered(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("gpt2", [RegisteredModelTag("team", "speed")], "small")
    tags = [ModelVersionTag("step", "1000")]
    made = store.create_model_version("gpt2", "s3://x/model", RUN, tags, "https://x/runs", "first")
    store.set_registered_model_alias("gpt2", "champion", "1")
    found = store.get_model_version_by_alias("gpt2", "champion")
    assert (made.version, made.current_stage, made.status) == (1, "None", "READY")
    assert (found.source, found.run_id, found.run_link) == ("s3://x/model", RUN, "https://x/runs")
    assert (found.tags, found.description, found.aliases) == ({"step": "1000"}, "first", ["champion"])
    model = store.get_registered_model("gpt2")
    assert (model.tags, model.description, model.aliases) == ({"team": "speed"}, "small", {"champion": 1})
    assert [version.version for version in model.latest_versions] == [1]
    assert store.get_model_version_by_alias("gpt2", "latest").version == 1


def test_what_is_not_there_has_the_codes_that_clients_of_mlflow_look_for(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("gpt2")
    assert refusal(store.create_registered_model, "gpt2") == "RESOURCE_ALREADY_EXISTS"
    assert refusal(store.get_registered_model, "none") == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.get_model_version, "gpt2", 1) == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.get_model_version, "gpt2", -1) == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.get_model_version, "gpt2", "x") == "INVALID_PARAMETER_VALUE"
    assert refusal(store.set_registered_model_alias, "none", "a", 1) == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.set_registered_model_alias, "gpt2", "v7", 1) == "INVALID_PARAMETER_VALUE"
    assert refusal(store.get_model_version_by_alias, "gpt2", "none") == "INVALID_PARAMETER_VALUE"
    assert refusal(store.rename_registered_model, "gpt2", "a/b") == "INVALID_PARAMETER_VALUE"
    store.delete_registered_model_alias("gpt2", "none")
    store.delete_registered_model_tag("gpt2", "none")


def test_a_transition_archives_the_others_of_its_stage(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("gpt2")
    for _ in range(2):
        store.create_model_version("gpt2", "s3://x")
        store.transition_model_version_stage("gpt2", 1, "production", False)
    store.transition_model_version_stage("gpt2", 2, "Production", archive_existing_versions=True)
    assert [store.get_model_version("gpt2", number).current_stage for number in (1, 2)] == ["Archived", "Production"]
    assert [version.version for version in store.get_latest_versions("gpt2", ["Production"])] == [2]
    assert refusal(store.transition_model_version_stage, "gpt2", 1, "Live", False) == "INVALID_PARAMETER_VALUE"


def test_searches_leave_prompts_out_unless_they_are_asked_for(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("gpt2", [RegisteredModelTag("team", "speed")])
    store.create_model_version("gpt2", "s3://x", RUN)
    store.create_prompt("greeting")
    store.create_prompt_version("greeting", "Hello {{name}}")
    assert [model.name for model in store.search_registered_models()] == ["gpt2"]
    assert [prompt.name for prompt in store.search_prompts()] == ["greeting"]
    assert [version.name for version in store.search_model_versions()] == ["gpt2"]
    assert [model.name for model in store.search_registered_models("name ILIKE 'GPT%' AND tags.team = 'speed'")] == [
        "gpt2"
    ]
    assert [version.version for version in store.search_model_versions(f"run_id IN ('{RUN}')")] == [1]
    assert not store.search_model_versions(f"name = 'a/b' AND run_id = '{RUN}'")
    with pytest.raises(MlflowException, match="already taken by a prompt"):
        store.create_registered_model("greeting")


def test_pages_of_a_search_follow_each_other(store: FleetlogRegistryStore) -> None:
    for number in range(5):
        store.create_registered_model(f"m{number}")
    first = store.search_registered_models(max_results=3, order_by=["name DESC"])
    second = store.search_registered_models(max_results=3, order_by=["name DESC"], page_token=first.token)
    assert [model.name for model in (*first, *second)] == ["m4", "m3", "m2", "m1", "m0"]
    assert second.token is None
    assert refusal(store.search_registered_models, max_results=1e15) == "INVALID_PARAMETER_VALUE"
    assert refusal(store.search_registered_models, order_by=["size"]) == "INVALID_PARAMETER_VALUE"


def test_a_version_of_a_run_of_another_system_keeps_its_id(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("gpt2")
    store.create_model_version("gpt2", "s3://x", "job-17")
    assert [version.run_id for version in store.search_model_versions("run_id = 'job-17'")] == ["job-17"]


def test_a_copied_version_has_its_files_where_the_first_one_has_them(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("tried")
    made = store.create_model_version("tried", "s3://x/model", RUN)
    copied = store.copy_model_version(made, "released")
    assert (copied.name, copied.source) == ("released", "models:/tried/1")
    assert store.get_model_version_download_uri("released", 1) == "s3://x/model"


def test_files_on_the_server_are_shown_as_whoever_asks_reaches_them(
    store: FleetlogRegistryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create_registered_model("gpt2")
    store.create_model_version("gpt2", f"mlflow-artifacts:/1/{RUN}/artifacts/model", RUN)
    assert store.get_model_version_download_uri("gpt2", 1) == f"fleetlog-artifacts:/1/{RUN}/artifacts/model"
    native = fleetlog.Client(store.place.target, store.place.namespace)
    assert native.get_version("gpt2", 1).artifact_path == "model"
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    assert store.get_model_version_download_uri("gpt2", 1) == f"mlflow-artifacts:/1/{RUN}/artifacts/model"


def test_a_version_that_was_registered_without_mlflow_is_one_of_its_own(store: FleetlogRegistryStore) -> None:
    native = fleetlog.Client(store.place.target, store.place.namespace)
    native.register_model("gpt2", source="https://models/gpt2", tags={"a": "b"}, aliases="champion")
    found = store.get_model_version_by_alias("gpt2", "champion")
    assert (found.source, found.tags, found.aliases) == ("https://models/gpt2", {"a": "b"}, ["champion"])


def test_numbers_have_neither_gaps_nor_twins_when_many_register_at_once(store: FleetlogRegistryStore) -> None:
    uri = f"fleetlog://{store.place.target}/{store.place.namespace}"
    store.create_registered_model("gpt2")

    def registered(place: int) -> tuple[int, str]:
        own = FleetlogRegistryStore(uri)
        made = own.create_model_version("gpt2", f"s3://x/{place}")
        own.set_registered_model_alias("gpt2", "champion", made.version)
        return int(made.version), made.source

    with ThreadPoolExecutor(CLIENTS) as clients:
        made = dict(clients.map(registered, range(CLIENTS)))
    assert sorted(made) == list(range(1, CLIENTS + 1))
    found = {int(one.version): one.source for one in store.search_model_versions("name = 'gpt2'")}
    assert found == made
    assert store.get_model_version_by_alias("gpt2", "champion").source in made.values()


def test_a_store_can_be_sent_to_another_process(store: FleetlogRegistryStore) -> None:
    store.create_registered_model("gpt2")
    assert pickle.loads(pickle.dumps(store)).get_registered_model("gpt2").name == "gpt2"


def test_webhooks_of_mlflow_are_those_of_fleetlog(
    store: FleetlogRegistryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow looks up the host of a URL before it asks its store, unless it may be of any network.
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    events = [WebhookEvent.from_str("model_version.created"), WebhookEvent.from_str("prompt.created")]
    made = store.create_webhook("ci", "https://hooks.invalid/x", events, secret="hush")
    assert (made.secret, made.status) == ("hush", WebhookStatus.ACTIVE)
    native = fleetlog.Client(store.place.target, store.place.namespace)
    native.create_webhook("ours", "https://hooks.invalid/y", "comment.created")
    listed = store.list_webhooks()
    assert [(one.name, one.events, one.secret) for one in listed] == [("ci", events, None)]
    changed = store.update_webhook(made.webhook_id, status=WebhookStatus.DISABLED)
    assert (changed.name, changed.status) == ("ci", WebhookStatus.DISABLED)
    assert [one.name for one in store.list_webhooks_by_event(events[0])] == ["ci"]
    assert store.test_webhook(made.webhook_id).success is False
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", "fleetlog://")
    assert list(store.list_webhooks_by_event(events[0])) == [], "fleetlog tells them, not MLflow's server"
    store.delete_webhook(made.webhook_id)
    for webhook_id in (made.webhook_id, "none", "-1"):
        assert refusal(store.get_webhook, webhook_id) == "RESOURCE_DOES_NOT_EXIST"
    assert refusal(store.create_webhook, "ci", "https://127.0.0.1/x", events) == "INVALID_PARAMETER_VALUE"
