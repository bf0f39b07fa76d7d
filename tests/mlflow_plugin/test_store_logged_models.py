"""What MLflow's client relies on, of logged models: through the store, with a server behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetlog.mlflow_plugin.artifacts import FleetlogArtifactRepository
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import (
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
    Param,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
NOW = 1_700_000_000_000


@pytest.fixture
def store(embedded_target: str) -> FleetlogStore:
    """A namespace of the test's own."""
    return FleetlogStore(f"fleetlog://{embedded_target}/{unique('mlflow')}")


@pytest.fixture
def run_id(store: FleetlogStore) -> str:
    return str(store.create_run("0", "someone", NOW, [], "one").info.run_id)


def made(store: FleetlogStore, name: str, run_id: str | None = None, **texts: str) -> LoggedModel:
    tags = [LoggedModelTag(key, text) for key, text in texts.items()]
    params = [LoggedModelParameter(key, text) for key, text in texts.items()]
    return store.create_logged_model("0", name, run_id, tags, params, "Agent")


def views(store: FleetlogStore) -> Iterator[FleetlogStore]:
    """The store while it knows what it wrote, and when it knows nothing of it and all is applied."""
    yield store
    store.writers.flush("applied")
    store.writers._own_models.clear()
    store.writers._runs.clear()
    yield store


def test_a_model_is_read_back_as_it_was_made_at_once_and_when_it_is_applied(store: FleetlogStore, run_id: str) -> None:
    model = made(store, "gpt2", run_id, a="b")
    assert model.model_id.startswith("m-")
    assert model.artifact_location.endswith(f"/0/models/{model.model_id}/artifacts")
    ready = store.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    store.set_logged_model_tags(model.model_id, [LoggedModelTag("c", "d")])
    store.log_logged_model_params(model.model_id, [LoggedModelParameter("a", "other"), LoggedModelParameter("e", "f")])
    store.delete_logged_model_tag(model.model_id, "a")
    assert ready.status == LoggedModelStatus.READY
    for place in views(store):
        found = place.get_logged_model(model.model_id)
        assert (found.name, found.model_type, found.source_run_id) == ("gpt2", "Agent", run_id)
        assert (found.status, found.creation_timestamp) == (LoggedModelStatus.READY, model.creation_timestamp)
        assert (found.tags, found.params) == ({"c": "d"}, {"a": "b", "e": "f"})
        assert found.metrics is None


def test_metrics_that_name_a_model_are_the_runs_and_the_models(store: FleetlogStore, run_id: str) -> None:
    model = made(store, "gpt2", run_id)
    of = {"model_id": model.model_id, "dataset_name": "hellaswag", "dataset_digest": "8f2c"}
    store.log_metric(run_id, Metric("loss", 2.0, NOW, 1, **of))
    metrics = [Metric("loss", 1.0, NOW, 2, **of), Metric("acc", 0.5, NOW, 2, **of), Metric("lr", 0.1, NOW, 2)]
    store.log_batch(run_id, metrics, [], [])
    assert store.get_run(run_id).data.metrics == {"loss": 1.0, "acc": 0.5, "lr": 0.1}
    found = store.get_logged_model(model.model_id).metrics
    told = [(one.key, one.value, one.step, one.dataset_name, one.dataset_digest, one.run_id) for one in found]
    assert told == [
        ("acc", 0.5, 2, "hellaswag", "8f2c", run_id),
        ("loss", 2.0, 1, "hellaswag", "8f2c", run_id),
        ("loss", 1.0, 2, "hellaswag", "8f2c", run_id),
    ]
    assert [point.value for point in store.get_metric_history(run_id, "loss")] == [2.0, 1.0]


def test_a_run_tells_which_models_it_read_and_made(store: FleetlogStore, run_id: str) -> None:
    one, other = made(store, "one"), made(store, "other")
    store.log_inputs(run_id, models=[LoggedModelInput(one.model_id)])
    store.log_outputs(run_id, [LoggedModelOutput(other.model_id, 7)])
    for place in views(store):
        run = place.get_run(run_id)
        assert [model.model_id for model in run.inputs.model_inputs] == [one.model_id]
        assert [(model.model_id, model.step) for model in run.outputs.model_outputs] == [(other.model_id, 7)]
    (found,) = store.search_runs(["0"], None, 1, 10, None, None)
    assert [model.model_id for model in found.outputs.model_outputs] == [other.model_id]


def test_models_are_searched_by_what_they_have(store: FleetlogStore, run_id: str) -> None:
    small, large = made(store, "small", depth="3"), made(store, "large", depth="12")
    for model, name, value in ((small, "a", 0.9), (small, "b", 0.1), (large, "a", 0.5), (large, "b", 0.6)):
        of = {"model_id": model.model_id, "dataset_name": name, "dataset_digest": "1"}
        store.log_metric(run_id, Metric("acc", value, NOW, 0, **of))

    def found(text: str = "", **others: Any) -> list[str]:
        return [model.name for model in store.search_logged_models(["0"], text, **others)]

    assert set(found()) == {"small", "large"}
    assert found("params.depth = '3' AND tags.depth LIKE '3%'") == ["small"]
    assert found("name IN ('large', 'none')") == ["large"]
    assert found("metrics.acc > 0.8") == ["small"]
    assert found("metrics.acc > 0.55", datasets=[{"dataset_name": "b"}]) == ["large"]
    key = {"field_name": "metrics.acc", "ascending": False}
    assert found(order_by=[{**key, "dataset_name": "a"}]) == ["small", "large"]
    assert found(order_by=[{**key, "dataset_name": "b"}]) == ["large", "small"]
    page = store.search_logged_models(["0"], max_results=1, order_by=[{"field_name": "name"}])
    assert [model.name for model in page] == ["large"]
    page = store.search_logged_models(["0"], max_results=1, order_by=[{"field_name": "name"}], page_token=page.token)
    assert ([model.name for model in page], page.token) == (["small"], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Foo", "Invalid filter string"),
        ("name = 'a' OR name = 'b'", "Invalid filter string"),
        ("foo.bar = 'a'", "Invalid entity type"),
        ("name > 'a'", "Invalid comparison operator"),
        ("metrics.a LIKE 0", "Invalid comparison operator"),
        ("metrics.a = 'x'", "is a number"),
    ],
)
def test_a_filter_of_models_that_can_not_be_meant_says_why(store: FleetlogStore, text: str, message: str) -> None:
    with pytest.raises(MlflowException, match=message):
        store.search_logged_models(["0"], text)


def test_a_model_that_is_not_there_or_deleted_or_purged_is_not_found(store: FleetlogStore) -> None:
    model_id = made(store, "gpt2").model_id
    store.delete_logged_model(model_id)
    assert store.get_logged_model(model_id, allow_deleted=True).name == "gpt2"
    assert store._get_deleted_logged_models() == [model_id]
    assert store.search_logged_models(["0"]) == []
    missing: list[str] = [model_id, "m-" + "0" * 32, "nothing", "m-../../etc"]
    store._hard_delete_logged_model(model_id)
    assert store._get_deleted_logged_models() == []
    for one in missing:
        with pytest.raises(MlflowException, match="not found") as refused:
            store.get_logged_model(one, allow_deleted=one == model_id)
        assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_files_of_a_model_are_kept_listed_and_deleted(store: FleetlogStore, tmp_path: Path) -> None:
    model = made(store, "gpt2")
    (tmp_path / "MLmodel").write_text("flavors: {}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights").write_bytes(b"w" * 2_000_000)
    uri = f"fleetlog://{store.place.target}/{store.place.namespace}"
    files = FleetlogArtifactRepository(model.artifact_location, uri)
    files.log_artifacts(str(tmp_path))
    assert [(file.path, file.is_dir) for file in files.list_artifacts()] == [("MLmodel", False), ("data", True)]
    (tmp_path / "copy").mkdir()
    local = Path(files.download_artifacts("", str(tmp_path / "copy")))
    assert (local / "data" / "weights").stat().st_size == 2_000_000
    files.delete_artifacts("data")
    assert [file.path for file in files.list_artifacts()] == ["MLmodel"]
    files.delete_artifacts()
    assert files.list_artifacts() == []


def test_what_this_process_wrote_is_read_back_before_it_is_applied(store: FleetlogStore, run_id: str) -> None:
    store.log_batch(run_id, [Metric("loss", 1.0, NOW, 2)], [Param("lr", "0.1")], [RunTag("a", "b"), RunTag("c", "d")])
    store.log_metric(run_id, Metric("loss", 9.0, NOW, 1))
    store.delete_tag(run_id, "c")
    store.update_run_info(run_id, RunStatus.FINISHED, NOW + 5, "renamed")
    for place in views(store):
        run = place.get_run(run_id)
        assert (run.data.metrics, run.data.params) == ({"loss": 1.0}, {"lr": "0.1"})
        assert run.data.tags == {"mlflow.runName": "renamed", "a": "b"}
        assert (run.info.run_name, run.info.status, run.info.end_time) == ("renamed", "FINISHED", NOW + 5)
    store.delete_run(run_id)
    assert store.get_run(run_id).info.lifecycle_stage == "deleted"


def test_runs_and_experiments_that_are_deleted_can_be_taken_away_for_good(store: FleetlogStore) -> None:
    number = store.create_experiment("train")
    gone = store.create_run(number, "someone", NOW, [], "gone").info.run_id
    kept = store.create_run(number, "someone", NOW, [], "kept").info.run_id
    store.delete_run(gone)
    assert store._get_deleted_runs() == [gone]
    store._hard_delete_run(gone)
    assert store._get_deleted_runs() == []
    with pytest.raises(MlflowException, match="not found"):
        store.get_run(gone)
    assert store.get_run(kept).info.run_name == "kept"
    store.delete_experiment(number)
    store._hard_delete_experiment(number)
    assert store.get_experiment_by_name("train") is None


def test_a_model_of_a_run_elsewhere_tells_that_run(store: FleetlogStore) -> None:
    model = made(store, "elsewhere", "123", a="b")
    assert (model.source_run_id, model.tags) == ("123", {"a": "b"})
    for place in views(store):
        found = place.get_logged_model(model.model_id)
        assert (found.source_run_id, found.tags) == ("123", {"a": "b"})
        (found,) = place.search_logged_models(["0"], "source_run_id = '123'")
        assert found.model_id == model.model_id
