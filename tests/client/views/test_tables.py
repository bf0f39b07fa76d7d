"""Runs as columns: names, order, types, and what becomes of batches that do not agree."""

from __future__ import annotations

import math

import pandas  # noqa: F401 – loaded here, since a unit test has half a second
import polars  # noqa: F401
import pyarrow as pa
import pytest
from fleetlog._views.frames import batches_of, pandas_of, polars_of, table_of_batches, table_of_runs
from fleetlog._views.views import RunView
from fleetlog_proto.v1 import event_pb2, run_pb2

from tests.client.test_views import Asked

ATTRIBUTES = [
    "run_id", "name", "state", "user", "experiment_id", "start_time", "end_time", "parent_run_id", "deleted",
]  # fmt: skip


def view(number: int, *params: event_pb2.Param, **metrics: float) -> RunView:
    run = run_pb2.Run(run_id=f"{number:032x}", params=params, start_time_millis=1_000, tags={"team": "é"})
    for key, value in metrics.items():
        run.metrics.add(key=key, last=value)
    return RunView(run, Asked())


def param(key: str, **value: float | bool | str) -> event_pb2.Param:
    return event_pb2.Param(key=key, **value)  # type: ignore[arg-type]


def batch(columns: dict[str, list[object]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_columns_are_attributes_then_params_metrics_and_tags_by_name() -> None:
    table = table_of_runs([view(1, param("z", real=1.0), param("a", real=2.0), y=1.0), view(2, x=math.nan)])
    named = ["params.a", "params.z", "metrics.x", "metrics.y", "tags.team"]
    assert table.column_names == ATTRIBUTES + named
    assert table.column("params.a").to_pylist() == [2.0, None]
    assert table.column("metrics.y").to_pylist() == [1.0, None]
    assert math.isnan(table.column("metrics.x").to_pylist()[1])
    assert table.schema.field("start_time").type == pa.timestamp("ms", "UTC")
    assert table.column("end_time").to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("params", "type_", "found"),
    [
        ([{"whole": 1}, {"whole": 1 << 60}], pa.int64(), [1, 1 << 60]),
        ([{"truth": True}, {"truth": False}], pa.bool_(), [True, False]),
        ([{"whole": 1}, {"real": 0.5}], pa.float64(), [1.0, 0.5]),
        ([{"truth": True}, {"whole": 2}], pa.string(), ["true", "2"]),
        ([{"text": "a"}, {"real": 0.5}], pa.string(), ["a", "0.5"]),
    ],
    ids=["whole", "truth", "numbers", "truth and number", "text and number"],
)
def test_a_param_has_the_type_that_holds_all_its_values(
    params: list[dict[str, float]], type_: pa.DataType, found: list[object]
) -> None:
    table = table_of_runs([view(place, param("p", **one)) for place, one in enumerate(params)])
    assert (table.schema.field("params.p").type, table.column("params.p").to_pylist()) == (type_, found)


def test_batches_that_differ_become_columns_that_hold_both() -> None:
    batches = [
        batch({"run_id": ["1"], "params.p": [1], "params.q": [1], "metrics.x": [1.0]}),
        batch({"run_id": ["2"], "params.p": [0.5], "params.q": ["text"]}),
    ]
    table = table_of_batches(batches)
    assert table.column_names == ["run_id", "params.p", "params.q", "metrics.x"]
    assert table.to_pydict() == {
        "run_id": ["1", "2"], "params.p": [1.0, 0.5], "params.q": ["1", "text"], "metrics.x": [1.0, None],
    }  # fmt: skip


def test_no_runs_are_a_table_with_the_attributes() -> None:
    assert table_of_batches([]).column_names == table_of_runs([]).column_names == ATTRIBUTES
    assert table_of_batches([]).num_rows == 0


def test_a_stream_of_batches_is_read_as_it_was_written() -> None:
    sent = batch({"run_id": ["1", "2"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, sent.schema) as stream:
        stream.write_batch(sent)
        stream.write_batch(sent)
    data = sink.getvalue().to_pybytes()
    assert list(batches_of(data)) == [sent, sent]
    with pytest.raises((ValueError, OSError)):
        list(batches_of(data[: len(data) // 2]))


def test_frames_of_pandas_and_polars_hold_the_same() -> None:
    table = table_of_runs([view(1, param("lr", real=0.5), x=2.0)])
    assert polars_of(table)["params.lr"].to_list() == [0.5]
    frame = pandas_of(table)
    assert frame["metrics.x"].tolist() == [2.0]
    assert list(frame.columns)[:2] == ["run_id", "name"]
