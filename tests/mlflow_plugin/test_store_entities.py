from __future__ import annotations

import math

import pytest
from fleetlog.mlflow_plugin.entities import dataset_inputs, distinct_points, location_of, run_artifacts
from fleetlog_proto.v1 import event_pb2, experiment_pb2

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
RUN = "0192f0c1a2b34c5d8e9f0123456789ab"


def test_artifacts_of_a_run_lie_below_those_of_its_experiment() -> None:
    here = experiment_pb2.Experiment(experiment_id=3)
    elsewhere = experiment_pb2.Experiment(experiment_id=3, artifact_location="s3://bucket/e")
    assert location_of(here, None) == "fleetlog-artifacts:/3"
    assert location_of(here, "mlflow-artifacts:/") == "mlflow-artifacts:/3"
    assert location_of(elsewhere, "mlflow-artifacts:/") == "s3://bucket/e"
    assert run_artifacts("s3://bucket/3?x=y", RUN) == f"s3://bucket/3/{RUN}/artifacts?x=y"
    assert run_artifacts("fleetlog-artifacts:/3", RUN) == f"fleetlog-artifacts:/3/{RUN}/artifacts"


def test_points_are_by_time_step_and_value_each_once() -> None:
    nan = math.nan
    points = distinct_points([(2, 0, 1.0), (1, 5, 2.0), (1, 5, 2.0), (1, 5, nan), (1, 5, nan), (1, 4, 9.0)])
    assert [str(point) for point in points] == ["(1, 4, 9.0)", "(1, 5, nan)", "(1, 5, 2.0)", "(2, 0, 1.0)"]


def test_tags_of_data_are_by_key_and_the_context_is_one_of_them() -> None:
    (found,) = dataset_inputs([event_pb2.Dataset(name="wine", context="train", tags={"split": "a", "foo": "b"})])
    assert [(tag.key, tag.value) for tag in found.tags] == [
        ("foo", "b"), ("mlflow.data.context", "train"), ("split", "a"),
    ]  # fmt: skip
