"""Answers to MLflow's pages that are made directly: they say what MLflow says of the same entities."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from fleetlog.mlflow_plugin.entities import run_entity, shown_value
from fleetlog.mlflow_plugin.page_answers import points_answer, run_json, runs_answer
from fleetlog.mlflow_plugin.page_requests import PointsRequest, RunsRequest, points_request, runs_request
from fleetlog_proto.v1 import event_pb2, run_pb2
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric, ViewType
from mlflow.entities.metric import MetricWithRunId
from mlflow.protos.service_pb2 import GetMetricHistoryBulkInterval, SearchRuns
from mlflow.utils.proto_json_utils import message_to_json

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
ID = "0192f0c1a2b34c5d8e9f0123456789ab"
LOCATION = "mlflow-artifacts:/3"
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_keys = st.text("ab/\"'\\é\n", min_size=1, max_size=4)
_times = st.integers(0, 1 << 53)
_steps = st.integers(-(1 << 63), (1 << 63) - 1)
_values = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1e22, math.inf, -math.inf, math.nan, sys.float_info.max])
_metrics = st.builds(
    run_pb2.MetricSummary, key=_keys, last=_values, last_time_millis=_times, last_step=_steps
)  # fmt: skip
_params = st.builds(event_pb2.Param, key=_keys, text=_texts) | st.builds(event_pb2.Param, key=_keys, real=_values)
_datasets = st.builds(
    event_pb2.Dataset, name=_keys, digest=_keys, context=_texts, source_type=_texts, source=_texts, schema=_texts,
    profile=_texts, tags=st.dictionaries(_keys, _texts, max_size=2),
)  # fmt: skip
_ids = st.integers(0, (1 << 128) - 1).map("{:032x}".format)
_runs = st.builds(
    run_pb2.Run, run_id=_ids, experiment_id=st.integers(0, 9), name=_texts, user=_texts,
    state=st.sampled_from(event_pb2.RunState.values()), start_time_millis=_times, end_time_millis=st.none() | _times,
    metrics=st.lists(_metrics, max_size=3, unique_by=lambda one: one.key),
    params=st.lists(_params, max_size=3, unique_by=lambda one: one.key),
    tags=st.dictionaries(_keys | st.just("fleetlog.artifact_location"), _texts, max_size=3),
    datasets=st.lists(_datasets, max_size=2), input_model_ids=st.lists(_ids, max_size=2),
    model_outputs=st.lists(st.builds(run_pb2.RunModelOutput, model_id=_ids, step=_steps), max_size=2),
)  # fmt: skip


@given(st.lists(st.tuples(_runs, st.booleans()), max_size=3), st.none() | _keys)
def test_runs_are_told_as_mlflow_tells_them(found: list[tuple[run_pb2.Run, bool]], token: str | None) -> None:
    answer = SearchRuns.Response(next_page_token=token)
    answer.runs.extend(run_entity(run, LOCATION, deleted=deleted).to_proto() for run, deleted in found)
    told = runs_answer([run_json(run, LOCATION, deleted=deleted) for run, deleted in found], token)
    assert json.loads(told) == json.loads(message_to_json(answer))


@given(
    _keys, st.lists(st.tuples(_ids, st.lists(st.tuples(_times, _steps, _values), max_size=4)), max_size=3)
)  # fmt: skip
def test_points_are_told_as_mlflow_tells_them(key: str, found: list[tuple[str, list[tuple[int, int, float]]]]) -> None:
    answer = GetMetricHistoryBulkInterval.Response()
    answer.metrics.extend(
        MetricWithRunId(Metric(key, shown_value(value), time, step), run_id).to_proto()
        for run_id, points in found
        for time, step, value in points
    )
    assert json.loads(points_answer(key, found)) == json.loads(message_to_json(answer))


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({"run_ids": [ID], "metric_key": ["loss"]}, PointsRequest([ID], "loss", 2_500, None, None)),
        (
            {
                "run_ids": [ID, ID],
                "metric_key": ["a/b"],
                "max_results": ["320"],
                "start_step": ["0"],
                "end_step": ["9"],
            },
            PointsRequest([ID, ID], "a/b", 320, 0, 9),
        ),
        ({"metric_key": ["loss"]}, None),
        ({"run_ids": [ID]}, None),
        ({"run_ids": [ID] * 101, "metric_key": ["loss"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss", "lr"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "max_results": ["0"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "max_results": ["2501"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "max_results": ["1e2"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "start_step": ["0"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "start_step": ["9"], "end_step": ["0"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "start_step": ["-3"], "end_step": ["0"]}, None),
        ({"run_ids": [ID], "metric_key": ["loss"], "other": ["1"]}, None),
    ],
)
def test_a_chart_is_read_where_it_is_plain(said: dict[str, list[str]], asked: PointsRequest | None) -> None:
    assert points_request(said) == asked


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({}, RunsRequest([], "", ViewType.ACTIVE_ONLY, 1_000, [], None)),
        (
            {
                "experiment_ids": ["3"], "filter": "metrics.loss < 1", "run_view_type": "ALL", "max_results": 100,
                "order_by": ["metrics.loss ASC"], "page_token": None,
            },
            RunsRequest(["3"], "metrics.loss < 1", ViewType.ALL, 100, ["metrics.loss ASC"], None),
        ),
        ({"experiment_ids": ["3"], "page_token": "x"}, RunsRequest(["3"], "", ViewType.ACTIVE_ONLY, 1_000, [], "x")),
        (None, None),
        ("text", None),
        ({"experiment_ids": [3]}, None),
        ({"experiment_ids": "3"}, None),
        ({"max_results": "100"}, None),
        ({"max_results": True}, None),
        ({"max_results": 0}, None),
        ({"max_results": 50_001}, None),
        ({"run_view_type": "EVERYTHING"}, None),
        ({"filter": 3}, None),
        ({"experimentIds": ["3"]}, None),
    ],
)  # fmt: skip
def test_a_table_is_read_where_it_is_plain(said: Any, asked: RunsRequest | None) -> None:
    assert runs_request(said) == asked
