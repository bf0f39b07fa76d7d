"""In a process of `mlflow server`: what anybody wrote before is seen by every read."""

from __future__ import annotations

import pytest
from fleetlog._transport.connection import Connection
from fleetlog.mlflow_plugin.registry import FleetlogRegistryStore
from fleetlog.mlflow_plugin.served import STORE
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import ingest_pb2, registered_model_pb2
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
NOW = 1_700_000_000_000
SECONDS = 60.0


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> str:
    """A namespace of the test's own, and this a process of `mlflow server`."""
    monkeypatch.setenv(STORE, "fleetlog://somewhere")
    return unique("served")


@pytest.fixture
def store(embedded_target: str, namespace: str) -> FleetlogStore:
    return FleetlogStore(f"fleetlog://{embedded_target}/{namespace}", "mlflow-artifacts:/")


@pytest.fixture
def other(embedded_target: str) -> Connection:
    """A connection of another process: nothing here knows what it wrote."""
    return Connection(embedded_target)


def test_a_run_is_read_with_what_another_process_wrote(store: FleetlogStore, other: Connection, namespace: str) -> None:
    run_id = store.create_run("0", "someone", NOW, [], "one").info.run_id
    store.log_metric(run_id, Metric("loss", 1.0, NOW, 0))
    for place in range(3):
        request = ingest_pb2.UpdateRunRequest(
            namespace=namespace, run_id=run_id, request_id=new_random_id(), tags={"place": str(place)},
            at_least=store.writers.position(),
        )  # fmt: skip
        other.call(other.ingest.UpdateRun, request, SECONDS)
        assert store.get_run(run_id).data.tags["place"] == str(place)
    (found,), _ = store._search_runs(["0"], "tags.place = '2'", 1, 10, None, None)
    assert (found.info.run_id, found.data.metrics) == (run_id, {"loss": 1.0})


def test_an_experiment_that_another_process_deleted_takes_no_more(
    store: FleetlogStore, other: Connection, namespace: str
) -> None:
    experiment = store.create_experiment("gone")
    run_id = store.create_run(experiment, "someone", NOW, [], "one").info.run_id
    store.log_param(run_id, Param("lr", "1"))
    request = ingest_pb2.DeleteExperimentRequest(
        namespace=namespace, request_id=new_random_id(), experiment_id=int(experiment)
    )
    other.call(other.ingest.DeleteExperiment, request, SECONDS)
    assert store.get_run(run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        store.log_metric(run_id, Metric("loss", 1.0, NOW, 0))


def test_a_model_that_another_process_registered_is_found(
    embedded_target: str, other: Connection, namespace: str
) -> None:
    registry = FleetlogRegistryStore(f"fleetlog://{embedded_target}/{namespace}")
    request = registered_model_pb2.CreateRegisteredModelRequest(
        namespace=namespace, request_id=new_random_id(), name="gpt2"
    )
    other.call(other.registry.CreateRegisteredModel, request, SECONDS)
    assert registry.get_registered_model("gpt2").name == "gpt2"
    assert [model.name for model in registry.search_registered_models()] == ["gpt2"]
