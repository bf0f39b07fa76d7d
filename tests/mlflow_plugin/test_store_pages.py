"""What MLflow's pages are answered directly, beside what MLflow's own handlers answer of the same store."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from fleetlog.mlflow_plugin.served import STORE
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, Metric, Param, RunTag, ViewType
from mlflow.protos.service_pb2 import GetMetricHistoryBulkInterval, SearchRuns
from mlflow.utils.proto_json_utils import message_to_json

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
NOW = 1_700_000_000_000
CHART = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
TABLE = "/ajax-api/2.0/mlflow/runs/search"


@pytest.fixture
def store(embedded_target: str, monkeypatch: pytest.MonkeyPatch) -> FleetlogStore:
    monkeypatch.setenv(STORE, "fleetlog://somewhere")
    return FleetlogStore(f"fleetlog://{embedded_target}/{unique('pages')}", "mlflow-artifacts:/")


@pytest.fixture
def runs(store: FleetlogStore) -> list[str]:
    """Runs of all kinds: with everything that a page shows of one, an ended one, a deleted one, an empty one."""
    run_ids = [store.create_run("0", "someone", NOW + place, [], f"run-{place}").info.run_id for place in range(4)]
    points = [Metric("loss", value, NOW + step, step) for step, value in enumerate([2.0, math.nan, math.inf, -0.5])]
    store.log_batch(run_ids[0], points, [Param("lr", "1e-3")], [RunTag("team", 'a "b" é')])
    store.log_metric(run_ids[0], Metric("loss", 7.0, NOW, 0))
    data = DatasetInput(Dataset("wine", "d1", "local", "/wine", "{}", None), [InputTag("mlflow.data.context", "train")])
    model = store.create_logged_model("0", "net", run_ids[0])
    store.log_inputs(run_ids[0], [data], [LoggedModelInput(model.model_id)])
    store.log_metric(run_ids[1], Metric("loss", 1.0, NOW, -3))
    store.update_run_info(run_ids[1], 3, NOW + 99, None)
    store.log_metric(run_ids[2], Metric("loss", 3.0, NOW, 5))
    store.delete_run(run_ids[2])
    return run_ids


@pytest.mark.parametrize("where", ["", "metrics.loss < 2", "artifact_uri LIKE '%artifacts'", "params.lr = '1e-3'"])
@pytest.mark.parametrize("view", [ViewType.ACTIVE_ONLY, ViewType.ALL, ViewType.DELETED_ONLY])
def test_a_table_is_what_mlflow_makes_of_it(store: FleetlogStore, runs: list[str], where: str, view: int) -> None:
    told = json.loads(store.search_json(["0"], where, view, 100, ["start_time ASC"], None))
    assert told == _table(store, where, view, 100, ["start_time ASC"])
    if not where:
        shown = {ViewType.ACTIVE_ONLY: [0, 1, 3], ViewType.ALL: [0, 1, 2, 3], ViewType.DELETED_ONLY: [2]}[view]
        assert [run["info"]["run_id"] for run in told["runs"]] == [runs[place] for place in shown]


def test_a_table_goes_on_by_its_token(store: FleetlogStore, runs: list[str]) -> None:
    first = json.loads(store.search_json(["0"], "", ViewType.ALL, 3, ["start_time ASC"], None))
    rest = json.loads(store.search_json(["0"], "", ViewType.ALL, 3, ["start_time ASC"], first["next_page_token"]))
    assert [run["info"]["run_id"] for run in first["runs"] + rest["runs"]] == runs
    assert "next_page_token" not in rest


@pytest.mark.parametrize(("first", "last", "shown"), [(None, None, [0, 2]), (0, 2, [0]), (5, 9, [2])])
def test_a_chart_is_what_mlflow_makes_of_it(
    store: FleetlogStore, runs: list[str], first: int | None, last: int | None, shown: list[int]
) -> None:
    asked = ([*runs, "0" * 32, "none", runs[0]], "loss", 320, first, last)
    answer = GetMetricHistoryBulkInterval.Response()
    answer.metrics.extend(point.to_proto() for point in store.get_metric_history_bulk_interval(*asked))
    told = json.loads(store.interval_json(*asked))
    assert told == json.loads(message_to_json(answer))
    assert {point["run_id"] for point in told["metrics"]} == {runs[place] for place in shown}


@pytest.mark.filterwarnings("default")  # MLflow's server is imported whole, with what others say of their own.
def test_views_of_mlflows_server_answer_what_they_did(
    store: FleetlogStore, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("flask", reason="NOT TESTED: mlflow is not installed whole")
    from fleetlog.mlflow_plugin import pages
    from mlflow.server import app as flask_app
    from mlflow.server import handlers

    before = dict(flask_app.view_functions)
    monkeypatch.setattr(flask_app, "view_functions", dict(before))
    monkeypatch.setattr(handlers, "_get_tracking_store", lambda *_, **__: store)
    client = flask_app.test_client()
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", TABLE, {"json": {"experiment_ids": ["0"], "max_results": 2, "order_by": ["start_time DESC"]}}),
        ("POST", TABLE, {"json": {"experiment_ids": ["0"], "filter": "metrics.loss < 9", "run_view_type": "ALL"}}),
        ("POST", TABLE, {"json": {"experiment_ids": ["0"], "filter": "nonsense"}}),
        ("POST", TABLE, {"json": {"experiment_ids": ["0"], "max_results": 50_001}}),
        ("POST", TABLE, {"json": {"experiment_ids": ["0"], "page_token": "none"}}),
        ("POST", TABLE, {"data": "no JSON", "content_type": "application/json"}),
        ("GET", CHART, {"query_string": {"run_ids": runs, "metric_key": "loss", "max_results": 320}}),
        ("GET", CHART, {"query_string": {"run_ids": runs, "metric_key": "loss", "start_step": 0, "end_step": 1}}),
        ("GET", CHART, {"query_string": {"run_ids": runs, "metric_key": "loss", "start_step": -5, "end_step": 0}}),
        ("GET", CHART, {"query_string": {"run_ids": runs, "metric_key": "loss", "start_step": 3}}),
        ("GET", CHART, {"query_string": {"metric_key": "loss"}}),
        ("GET", CHART, {"query_string": {"run_ids": runs * 30, "metric_key": "loss"}}),
    ]
    own = [client.open(path, method=method, **said) for method, path, said in requests]
    pages.app()
    direct = [client.open(path, method=method, **said) for method, path, said in requests]
    # MLflow's own JSON has a line for each value.
    assert [b"\n" in one.data for one in own] == [True, True] + 4 * [False] + [True, True, True] + 3 * [False]
    assert [b"\n" in one.data for one in direct] == 8 * [False] + [True] + 3 * [False]
    for one, other in zip(own, direct, strict=True):
        assert (one.status_code, one.mimetype) == (other.status_code, other.mimetype)
        assert _without_token(one.get_json(silent=True)) == _without_token(other.get_json(silent=True))
    assert [one.status_code for one in direct] == [200, 200, 400, 400, 400, 200, 200, 200, 200, 400, 400, 400]


def _table(store: FleetlogStore, where: str, view: int, most: int, order: list[str]) -> Any:
    answer = SearchRuns.Response()
    answer.runs.extend(run.to_proto() for run in store.search_runs(["0"], where, view, most, order))
    return json.loads(message_to_json(answer))


def _without_token(answer: Any) -> Any:
    """The answer; a token of a page says which moment it is of, and each search has its own."""
    if isinstance(answer, dict) and "next_page_token" in answer:
        return answer | {"next_page_token": "some"}
    return answer
