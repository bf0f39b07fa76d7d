"""Where files of runs and logged models are, as readers are told: through the store, with a server behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fleetlog.mlflow_plugin.hidden_tags import ARTIFACT_LOCATION, FOREIGN_RUN
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import LoggedModelTag, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
ELSEWHERE = "s3://bucket/mlflow"


@pytest.fixture
def uri(embedded_target: str) -> str:
    """A namespace of the test's own."""
    return f"fleetlog://{embedded_target}/{unique('mlflow')}"


def test_files_are_kept_where_the_uri_says(uri: str) -> None:
    store = FleetlogStore(f"{uri}?artifacts={ELSEWHERE}")
    info = store.create_run("0", "user", 1, [], "run").info
    assert info.artifact_uri == f"{ELSEWHERE}/0/{info.run_id}/artifacts"
    assert store.get_run(info.run_id).info.artifact_uri == info.artifact_uri
    own = store.create_experiment("own", "s3://bucket/own")
    assert store.get_experiment(own).artifact_location == "s3://bucket/own"
    in_own = store.create_run(own, "user", 1, [], "run").info
    assert in_own.artifact_uri == f"s3://bucket/own/{in_own.run_id}/artifacts"


def test_a_reader_who_was_not_told_where_files_are_finds_them_there(uri: str) -> None:
    """`mlflow gc` is told of the store alone, and is to delete the files too."""
    writer, reader = FleetlogStore(uri, ELSEWHERE), FleetlogStore(uri)
    run = writer.create_run("0", "user", 1, [RunTag("a", "b")], "run")
    model = writer.create_logged_model("0", "m", run.info.run_id, [LoggedModelTag("c", "d")])
    writer.update_run_info(run.info.run_id, RunStatus.FINISHED, 2, None)
    found = reader.get_run(run.info.run_id)
    assert found.info.artifact_uri == run.info.artifact_uri == f"{ELSEWHERE}/0/{run.info.run_id}/artifacts"
    assert found.data.tags == {"mlflow.runName": "run", "a": "b"}
    assert reader.update_run_info(run.info.run_id, None, 3, None).artifact_uri == run.info.artifact_uri
    (searched,) = reader.search_runs(["0"], f"artifact_uri = '{run.info.artifact_uri}'", ViewType.ALL)
    assert searched.data.tags == found.data.tags
    read = reader.get_logged_model(model.model_id)
    assert read.artifact_location == model.artifact_location == f"{ELSEWHERE}/0/models/{model.model_id}/artifacts"
    assert read.tags == {"c": "d"}
    reader.delete_run(run.info.run_id)
    assert reader.get_run(reader._get_deleted_runs()[0]).info.artifact_uri == run.info.artifact_uri


def test_files_on_the_server_are_where_each_reader_reaches_them(uri: str) -> None:
    writer, reader = FleetlogStore(uri, "mlflow-artifacts:/"), FleetlogStore(uri)
    info = writer.create_run("0", "user", 1, [], "run").info
    assert info.artifact_uri == f"mlflow-artifacts:/0/{info.run_id}/artifacts"
    assert reader.get_run(info.run_id).info.artifact_uri == f"fleetlog-artifacts:/0/{info.run_id}/artifacts"


@pytest.mark.parametrize("key", [ARTIFACT_LOCATION, FOREIGN_RUN])
def test_nobody_says_by_a_tag_where_files_are(uri: str, key: str) -> None:
    store, tag = FleetlogStore(uri), RunTag(key, "file:///etc")
    run_id = store.create_run("0", "user", 1, [], "run").info.run_id
    model_id = store.create_logged_model("0", "m", run_id).model_id
    tried: list[Callable[[], Any]] = [
        lambda: store.create_run("0", "user", 1, [tag], "run"),
        lambda: store.set_tag(run_id, tag),
        lambda: store.log_batch(run_id, [], [], [RunTag("good", "x"), tag]),
        lambda: store.delete_tag(run_id, key),
        lambda: store.create_logged_model("0", "m", run_id, [LoggedModelTag(key, "file:///etc")]),
        lambda: store.set_logged_model_tags(model_id, [LoggedModelTag(key, "file:///etc")]),
        lambda: store.delete_logged_model_tag(model_id, key),
    ]
    for call in tried:
        with pytest.raises(MlflowException, match="kept by fleetlog itself") as refused:
            call()
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert store.get_run(run_id).info.artifact_uri == f"fleetlog-artifacts:/0/{run_id}/artifacts"
