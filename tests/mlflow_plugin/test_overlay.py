"""What was written here, put over what the server answers."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from fleetlog._events.items import Row, Writer
from fleetlog.mlflow_plugin.model_overlay import OwnModel
from fleetlog.mlflow_plugin.overlay import OwnWrites
from fleetlog_proto.v1 import event_pb2, logged_model_event_pb2, logged_model_pb2, run_pb2

RUN, MODEL = bytes(range(16)), bytes(range(16, 32))
WRITER = Writer("default", RUN, RUN, None, "", None)


def found(**fields: Any) -> run_pb2.Run:
    return run_pb2.Run(run_id=RUN.hex(), state=event_pb2.RUN_STATE_RUNNING, **fields)


def over(own: OwnWrites, server: run_pb2.Run | None) -> run_pb2.Run:
    run = own.over(server)
    assert run is not None
    return run


@pytest.mark.parametrize(
    ("server", "ours", "last"),
    [
        ((1, 5, 9.0), (2, 0, 1.0), 1.0),
        ((2, 5, 9.0), (1, 9, 1.0), 9.0),
        ((1, 5, 9.0), (1, 6, 1.0), 1.0),
        ((1, 5, 2.0), (1, 5, 3.0), 3.0),
        ((1, 5, math.nan), (1, 5, -math.inf), -math.inf),
        ((1, 5, -math.inf), (1, 5, math.nan), -math.inf),
    ],
)
def test_the_last_point_is_the_highest_step_time_and_value(
    server: tuple[int, int, float], ours: tuple[int, int, float], last: float
) -> None:
    own = OwnWrites()
    own.rows.append(Row(WRITER, ("loss", "new"), [ours[2], 1.0], ours[0], ours[1]))
    before = found()
    before.metrics.add(key="loss", last=server[2], last_step=server[0], last_time_millis=server[1])
    metrics = {metric.key: metric.last for metric in over(own, before).metrics}
    assert metrics == {"loss": last, "new": 1.0}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_last_point_is_the_same_in_whatever_order_rows_were_put(order: tuple[int, ...]) -> None:
    rows = [
        Row(WRITER, ("loss", "acc"), [9.0, 9.0], 1, 5),
        Row(WRITER, ("loss", "acc"), [2.0, 3.0], 2, 5),
        Row(WRITER, ("loss", "acc"), [3.0, 2.0], 2, 5),
        Row(WRITER, ("loss",), [1.0], 2, 6),
    ]
    own = OwnWrites()
    own.rows.extend(rows[place] for place in order)
    assert {metric.key: metric.last for metric in over(own, found()).metrics} == {"loss": 1.0, "acc": 3.0}


def test_of_params_the_servers_stay_and_of_tags_ours() -> None:
    own = OwnWrites()
    params = [event_pb2.Param(key="lr", text="2"), event_pb2.Param(key="a", text="3")]
    own.put(event_pb2.Event(params_logged=event_pb2.ParamsLogged(params=params)))
    own.put(event_pb2.Event(tags_set=event_pb2.TagsSet(tags={"x": "ours", "y": "ours"})))
    own.put(event_pb2.Event(tags_deleted=event_pb2.TagsDeleted(keys=["y", "z"])))
    run = over(own, found(params=[event_pb2.Param(key="lr", text="1")], tags={"x": "theirs", "z": "theirs"}))
    assert {param.key: param.text for param in run.params} == {"a": "3", "lr": "1"}
    assert dict(run.tags) == {"x": "ours"}


def test_a_run_that_was_made_here_is_there_before_the_server_has_it_and_another_is_not() -> None:
    assert OwnWrites().over(None) is None
    own = OwnWrites(found(name="one"))
    own.put(event_pb2.Event(run_updated=event_pb2.RunUpdated(state=event_pb2.RUN_STATE_FAILED, end_time_millis=7)))
    own.put_deleted(True)
    run = over(own, None)
    assert (run.name, run.state, run.end_time_millis, run.deleted) == ("one", event_pb2.RUN_STATE_FAILED, 7, True)
    own.clear()
    assert own.is_empty
    assert own.over(None) is None


def test_data_and_models_that_the_server_has_are_not_told_twice() -> None:
    own = OwnWrites()
    datasets = [event_pb2.Dataset(name="a", digest="1"), event_pb2.Dataset(name="b")]
    own.put(event_pb2.Event(datasets_logged=event_pb2.DatasetsLogged(datasets=datasets)))
    linked = logged_model_event_pb2.ModelsLinked(input_model_ids=[MODEL, MODEL])
    linked.outputs.add(model_id=MODEL, step=3)
    own.put(event_pb2.Event(models_linked=linked))
    for server in (found(), found(datasets=datasets[:1], input_model_ids=[MODEL.hex()])):
        run = over(own, server)
        assert [one.name for one in run.datasets] == ["a", "b"]
        assert list(run.input_model_ids) == [MODEL.hex()]
        assert [(one.model_id, one.step) for one in run.model_outputs] == [(MODEL.hex(), 3)]


def test_columns_of_points_count_as_rows_do() -> None:
    own = OwnWrites()
    column = event_pb2.MetricColumn(key="loss", values=[3.0, 2.0])
    own.put(
        event_pb2.Event(
            observe_time_millis=9, metrics_logged=event_pb2.MetricsLogged(step_deltas=[5, 1], columns=[column])
        )
    )
    (metric,) = over(own, found()).metrics
    assert (metric.last, metric.last_step, metric.last_time_millis) == (2.0, 6, 9)


def test_changes_of_a_model_are_put_over_it_in_their_order() -> None:
    own = OwnModel(logged_model_pb2.LoggedModel(name="gpt2", tags={"a": "1"}))
    ready = logged_model_event_pb2.LOGGED_MODEL_STATUS_READY
    updated = logged_model_event_pb2.LoggedModelUpdated(
        status=ready, params={"lr": "1"}, tags={"b": "2"}, deleted_tags=["a"]
    )
    own.put(event_pb2.Event(logged_model_updated=updated, observe_time_millis=5))
    own.put(event_pb2.Event(logged_model_deleted=logged_model_event_pb2.LoggedModelDeleted(), observe_time_millis=6))
    for server in (None, logged_model_pb2.LoggedModel(name="gpt2", params={"lr": "0"}, tags={"a": "1", "c": "3"})):
        model = own.over(server)
        assert model is not None
        assert (model.name, model.status, model.deleted, model.update_time_millis) == ("gpt2", ready, True, 6)
        assert dict(model.params) == ({"lr": "1"} if server is None else {"lr": "0"})
        assert dict(model.tags) == ({"b": "2"} if server is None else {"b": "2", "c": "3"})
    assert OwnModel().over(None) is None
