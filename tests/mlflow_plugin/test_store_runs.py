"""What MLflow's client relies on, of runs: through the store, with a server behind it."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import fleetlog
import pytest
from fleetlog.mlflow_plugin.artifacts import FleetlogArtifactRepository
from fleetlog.mlflow_plugin.tracking import FleetlogStore
from mlflow.entities import (
    Dataset,
    DatasetInput,
    ExperimentTag,
    InputTag,
    Metric,
    Param,
    Run,
    RunStatus,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException

from tests.servers import unique

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
NOW = 1_700_000_000_000


@pytest.fixture
def store(embedded_target: str) -> FleetlogStore:
    """A namespace of the test's own."""
    return FleetlogStore(f"fleetlog://{embedded_target}/{unique('mlflow')}")


def started(store: FleetlogStore, experiment: str = "0", name: str = "", **tags: str) -> Run:
    return store.create_run(experiment, "someone", NOW, [RunTag(*tag) for tag in tags.items()], name)


def code(call: object) -> str:
    """The error code that a call is refused with."""
    assert callable(call)
    with pytest.raises(MlflowException) as refused:
        call()
    return str(refused.value.error_code)


def test_a_run_is_read_back_as_it_was_written(store: FleetlogStore) -> None:
    run_id = started(store, name="one", team="speed").info.run_id
    metrics = [Metric("loss", 2.0, NOW, 1), Metric("loss", 1.0, NOW, 2), Metric("up", math.inf, NOW, 0)]
    store.log_batch(run_id, [*metrics, Metric("odd", math.nan, NOW, 0)], [Param("lr", "0.1")], [RunTag("a", "b")])
    data = DatasetInput(
        Dataset("fineweb", "8f2c", "s3", "s3://x"), [InputTag("mlflow.data.context", "train"), InputTag("split", "a")]
    )
    store.log_inputs(run_id, [data])
    run = store.get_run(run_id)
    assert (run.info.run_name, run.info.user_id, run.info.status) == ("one", "someone", "RUNNING")
    assert (run.info.start_time, run.info.end_time, run.info.lifecycle_stage) == (NOW, None, "active")
    assert run.data.tags == {"mlflow.runName": "one", "team": "speed", "a": "b"}
    assert run.data.params == {"lr": "0.1"}
    assert run.data.metrics["loss"] == 1.0
    assert run.data.metrics["up"] == sys.float_info.max
    assert math.isnan(run.data.metrics["odd"])
    (read,) = run.inputs.dataset_inputs
    assert read.dataset.to_dictionary() == data.dataset.to_dictionary()
    assert {tag.key: tag.value for tag in read.tags} == {"mlflow.data.context": "train", "split": "a"}


def test_a_conflict_of_one_param_leaves_nothing_of_the_batch(store: FleetlogStore) -> None:
    run_id = started(store).info.run_id
    store.log_batch(run_id, [], [Param("lr", "1"), Param("seed", "7")], [])
    batch = [Metric("loss", 1.0, NOW, 0)], [Param("lr", "2"), Param("new", "1")], [RunTag("late", "x")]
    assert code(lambda: store.log_batch(run_id, *batch)) == "INVALID_PARAMETER_VALUE"
    store.log_batch(run_id, [], [Param("lr", "1")], [])
    # Whoever did not write them is told the same: the params are read once.
    other = FleetlogStore(f"fleetlog://{store.place.target}/{store.place.namespace}?wait=applied")
    assert code(lambda: other.log_param(run_id, Param("lr", "2"))) == "INVALID_PARAMETER_VALUE"
    run = store.get_run(run_id)
    assert (run.data.params, run.data.metrics) == ({"lr": "1", "seed": "7"}, {})
    assert "late" not in run.data.tags


def test_a_finished_run_takes_metrics_and_stays_finished(store: FleetlogStore) -> None:
    run_id = started(store).info.run_id
    store.update_run_info(run_id, RunStatus.FINISHED, NOW + 9, None)
    store.log_metric(run_id, Metric("eval", 0.5, NOW, 0))
    run = store.get_run(run_id)
    assert (run.info.status, run.info.end_time, run.data.metrics) == ("FINISHED", NOW + 9, {"eval": 0.5})
    info = store.update_run_info(run_id, RunStatus.SCHEDULED, None, "again")
    assert (info.status, info.end_time, info.run_name) == ("SCHEDULED", None, "again")
    assert store.get_run(run_id).data.tags["mlflow.runName"] == "again"


def test_what_is_logged_without_waiting_keeps_its_order(store: FleetlogStore) -> None:
    run_id = started(store).info.run_id
    done = [store.set_tag_async(run_id, RunTag("place", str(number))) for number in range(200)]
    done.append(store.log_metric_async(run_id, Metric("x", 1.0, NOW, 0)))
    done[-1].wait()
    assert store.get_run(run_id).data.tags["place"] == "199"


def test_histories_are_by_time_with_each_point_once(store: FleetlogStore) -> None:
    run_id = started(store).info.run_id
    points = [
        Metric("x", 3.0, NOW + 2, 0),
        Metric("x", 1.0, NOW, 5),
        Metric("x", 1.0, NOW, 5),
        Metric("x", 2.0, NOW, 1),
    ]
    for point in points:
        store.log_metric(run_id, point)
    page = store.get_metric_history(run_id, "x", max_results=2)
    rest = store.get_metric_history(run_id, "x", max_results=2, page_token=page.token)
    assert [(point.timestamp, point.step, point.value) for point in [*page, *rest]] == [
        (NOW, 1, 2.0), (NOW, 5, 1.0), (NOW + 2, 0, 3.0)
    ]  # fmt: skip
    chart = store.get_metric_history_bulk_interval([run_id], "x", 2, None, None)
    assert {one.step for one in chart} == {0, 1, 5}


def test_runs_are_found_and_ordered_as_texts(store: FleetlogStore) -> None:
    for depth in ("9", "10", "2"):
        store.log_param(started(store, name=depth).info.run_id, Param("depth", depth))
    found = store.search_runs(["0"], "params.depth != '2'", ViewType.ACTIVE_ONLY, order_by=["params.depth ASC"])
    assert [run.info.run_name for run in found] == ["10", "9"]
    first = store.search_runs(["0"], "", ViewType.ACTIVE_ONLY, max_results=2, order_by=["params.depth DESC"])
    rest = store.search_runs(["0"], "", ViewType.ACTIVE_ONLY, 2, ["params.depth DESC"], first.token)
    assert [run.info.run_name for run in [*first, *rest]] == ["9", "2", "10"]
    assert rest.token is None
    uri = found[0].info.artifact_uri
    (one,) = store.search_runs(["0"], f"attributes.artifact_uri = '{uri}'", ViewType.ACTIVE_ONLY)
    assert one.info.run_id == found[0].info.run_id
    assert store.search_runs([], "", ViewType.ACTIVE_ONLY) == []
    assert code(lambda: store.search_runs(["0"], "params.a = '1' OR x", 1)) == "INVALID_PARAMETER_VALUE"
    assert code(lambda: store.search_runs(["x"], "", 1)) == "INVALID_PARAMETER_VALUE"
    assert store.search_runs(["-1", str(1 << 40)], "", 1) == []


def test_a_run_is_deleted_with_its_experiment_and_comes_back_with_it(store: FleetlogStore) -> None:
    experiment = store.create_experiment("e", "s3://bucket/e", [ExperimentTag("k", "v")])
    kept, gone = started(store, experiment).info, started(store, experiment).info
    assert kept.artifact_uri == f"s3://bucket/e/{kept.run_id}/artifacts"
    store.delete_run(gone.run_id)
    assert code(lambda: store.log_metric(gone.run_id, Metric("x", 1.0, NOW, 0))) == "INVALID_PARAMETER_VALUE"
    assert store._get_deleted_runs() == [gone.run_id]
    assert store._get_deleted_runs(older_than=3_600_000) == []
    store.delete_experiment(experiment)
    assert store.get_run(kept.run_id).info.lifecycle_stage == "deleted"
    assert code(lambda: store.create_run(experiment, "u", NOW, [], "")) == "INVALID_PARAMETER_VALUE"
    assert code(lambda: store.create_experiment("e")) == "RESOURCE_ALREADY_EXISTS"
    assert len(store.search_runs([experiment], "", ViewType.DELETED_ONLY)) == 2
    assert store.search_runs([experiment], "", ViewType.ACTIVE_ONLY) == []
    store.restore_experiment(experiment)
    assert {run.info.run_id for run in store.search_runs([experiment], "", ViewType.ACTIVE_ONLY)} == {
        kept.run_id, gone.run_id
    }  # fmt: skip


def test_what_is_not_there_is_missing_whatever_its_name(store: FleetlogStore) -> None:
    for run_id in ("0" * 32, "../../etc/passwd", "x", "F" * 32):
        assert code(lambda run_id=run_id: store.get_run(run_id)) == "RESOURCE_DOES_NOT_EXIST"
    assert code(lambda: store.get_experiment("77")) == "RESOURCE_DOES_NOT_EXIST"
    assert code(lambda: store.get_experiment("abc")) == "INVALID_PARAMETER_VALUE"
    assert store.get_experiment_by_name("nothing") is None
    run_id = started(store).info.run_id
    assert code(lambda: store.delete_tag(run_id, "nothing")) == "RESOURCE_DOES_NOT_EXIST"
    other = FleetlogStore(f"fleetlog://{store.place.target}/{unique('other')}")
    assert code(lambda: other.get_run(run_id)) == "RESOURCE_DOES_NOT_EXIST"


def test_there_are_no_logged_models(store: FleetlogStore) -> None:
    """MLflow asks for them whenever it lists the files of a run."""
    assert list(store.search_logged_models(["0"], filter_string="name = 'x'", page_token=None)) == []


def test_files_come_back_byte_for_byte(store: FleetlogStore, tmp_path: Path) -> None:
    run = started(store)
    tree = tmp_path / "tree" / "deep"
    tree.mkdir(parents=True)
    (tree / "large.bin").write_bytes(bytes(range(256)) * 8_192)
    (tmp_path / "note.txt").write_text("é")
    tracked = f"fleetlog://{store.place.target}/{store.place.namespace}"
    files = FleetlogArtifactRepository(run.info.artifact_uri, tracking_uri=tracked)
    files.log_artifact(str(tmp_path / "note.txt"))
    files.log_artifacts(str(tmp_path / "tree"), "kept")
    assert [(one.path, one.is_dir, one.file_size) for one in files.list_artifacts()] == [
        ("kept", True, None), ("note.txt", False, 2)
    ]  # fmt: skip
    assert [one.path for one in files.list_artifacts("kept/deep")] == ["kept/deep/large.bin"]
    assert files.list_artifacts("note.txt") == []
    whole = Path(files.download_artifacts("kept", str(tmp_path)))
    assert (whole / "deep" / "large.bin").read_bytes() == (tree / "large.bin").read_bytes()


def test_an_end_before_1970_is_ordered_as_one(store: FleetlogStore) -> None:
    experiment = store.create_experiment("ends")
    for end in (234, -123, None, 456):
        run_id = started(store, experiment, str(end)).info.run_id
        store.update_run_info(run_id, RunStatus.FINISHED if end else RunStatus.RUNNING, end, None)
    runs, _ = store._search_runs([experiment], "", ViewType.ALL, 10, ["attributes.end_time ASC"], None)
    assert [run.info.end_time for run in runs] == [-123, 234, 456, None]


def test_default_can_be_deleted_and_comes_back(store: FleetlogStore) -> None:
    store.delete_experiment("0")
    assert store.get_experiment("0").lifecycle_stage == "deleted"
    assert code(lambda: started(store)) == "INVALID_PARAMETER_VALUE"
    store._hard_delete_experiment("0")
    store.restore_experiment("0")
    assert started(store).info.experiment_id == "0"


def test_a_chart_has_the_same_steps_of_all_runs_and_the_ends_of_each(store: FleetlogStore) -> None:
    long, short = started(store).info.run_id, started(store).info.run_id
    store.log_batch(long, [Metric("loss", float(step), NOW, step) for step in range(-1, 100)], [], [])
    store.log_batch(short, [Metric("loss", 1.0, NOW, step) for step in (3, 40)], [], [])
    found = store.get_metric_history_bulk_interval([long, short], "loss", 10, None, None)
    assert [one.step for one in found if one.run_id == long] == [0, 3, *range(10, 100, 10), 99]
    assert [one.step for one in found if one.run_id == short] == [3, 40]
    inside = store.get_metric_history_bulk_interval([long], "loss", 10, 5, 8)
    assert [one.step for one in inside] == [5, 6, 7, 8]
    some = store.get_metric_history_bulk_interval_from_steps(long, "loss", [7, 2, 500], 10)
    assert [one.step for one in some] == [2, 7]


def test_long_texts_of_datasets_are_kept_as_files_of_the_run(store: FleetlogStore, embedded_target: str) -> None:
    run_id = started(store).info.run_id
    schema, profile = "ü" * 40_000, "p" * 1_100_000
    data = Dataset("wide", "1", "s3", "s3://x", schema=schema, profile=profile)
    store.log_inputs(run_id, [DatasetInput(data, []), DatasetInput(Dataset("small", "1", "s3", "s3://y"), [])])
    elsewhere = FleetlogStore(f"fleetlog://{embedded_target}/{store.place.namespace}")
    for reader in (store, elsewhere):
        (found,), _ = reader._search_runs(["0"], "datasets.name = 'wide'", ViewType.ALL, 10, None, None)
        for run in (found, reader.get_run(run_id)):
            wide = next(one.dataset for one in run.inputs.dataset_inputs if one.dataset.name == "wide")
            assert (wide.schema, wide.profile, wide.source) == (schema, profile, "s3://x")
    kept = fleetlog.Client(embedded_target, store.place.namespace).list_artifacts(run_id, "datasets")
    assert sorted(one.size_bytes for one in kept) == [80_000, 1_100_000]


def test_a_metric_that_is_refused_is_told_with_its_place_in_the_batch(store: FleetlogStore) -> None:
    run_id, bad = started(store).info.run_id, Metric("../up", 1.0, NOW, 0)
    with pytest.raises(MlflowException, match=r"'metrics\[0\].name'"):
        store.log_batch(run_id, [bad], [], [])
    with pytest.raises(MlflowException, match="'name'"):
        store.log_metric(run_id, bad)
