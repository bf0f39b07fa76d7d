"""What users have as tables, and the runs that they make."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fleetlog.importing import message, messages
from fleetlog.run_tables import RunTable
from fleetlog_core.ids import new_run_id
from fleetlog_core.rules.imports import check_import
from fleetlog_proto.v1 import event_pb2

from tests.ingest.tables import expanded

NOW = 1_700_000_000_000
OWN = new_run_id(NOW)


def made(table: Any) -> list[dict[str, Any]]:
    """The runs of a table, as training code would have told of them."""
    rows = RunTable(table)
    runs = message(rows, 3, 0, rows.count)
    check_import(runs, "runs")
    found = []
    for run, events in expanded(runs).items():
        started = events[0].run_started
        metrics = [event.metrics_logged for event in events if event.HasField("metrics_logged")]
        found.append(
            {
                "id": run,
                "name": started.name,
                "start": started.start_time_millis,
                "params": {param.key: getattr(param, param.WhichOneof("value") or "") for param in started.params},
                "tags": dict(started.tags),
                "metrics": {one.columns[0].key: (one.step_deltas[0], one.columns[0].values[0]) for one in metrics},
                "state": events[-1].run_finished.state,
                "end": events[-1].run_finished.end_time_millis,
                "parent": started.parent_run_id,
            }
        )
    return found


def test_a_dict_of_columns() -> None:
    one, two = made(
        {
            "run_id": [OWN.hex(), "theirs"],
            "attributes.name": ["first", None],
            "start_time": [datetime(2024, 5, 1, tzinfo=UTC), "2024-05-01T02:00:00+02:00"],
            "end_time": [NOW * 1.0, None],
            "status": ["FAILED", "running"],
            "parent_run_id": [None, OWN.hex()],
            "params.lr": [1e-3, None],
            "params.layers": [12, "many"],
            "params.fused": [True, np.float64(2.5)],
            "tags.team": ["speed", 7],
            "metrics.loss": [math.nan, 3],
            "steps.loss": [10, -2],
            "experiment_id": ["0", "0"],
        }
    )
    assert one["id"] == OWN
    assert (one["name"], one["start"], one["end"], one["state"]) == ("first", 1_714_521_600_000, NOW, 3)
    assert one["params"] == {"lr": 1e-3, "layers": 12, "fused": True}
    assert type(one["params"]["fused"]) is bool
    assert one["metrics"]["loss"][0] == 10
    assert math.isnan(one["metrics"]["loss"][1])
    assert (two["name"], two["start"], two["end"], two["state"]) == ("", 1_714_521_600_000, 0, 0)
    assert two["params"] == {"layers": "many", "fused": 2.5}
    assert two["tags"] == {"team": "7", "source_run_id": "theirs"}
    assert two["metrics"] == {"loss": (-2, 3.0)}
    assert (one["parent"], two["parent"]) == (bytes(16), OWN)
    # The time of an id is the run's, and the rest is the same each time.
    assert int.from_bytes(two["id"][:6], "big") == 1_714_521_600_000
    assert two["id"] == made({"run_id": ["theirs"], "start_time": [1_714_521_600_000]})[0]["id"]


def test_data_frames_and_arrow() -> None:
    data = {"params.lr": [0.1, None], "params.note": ["a", None], "metrics.loss": [1.5, 2.5], "params.n": [1, 2]}
    frame = pd.DataFrame(data).assign(start_time=pd.to_datetime(pd.Series(["2024-05-01T00:00:00Z", None])))
    for table in (frame, frame.drop(columns="start_time"), pl.DataFrame(data), pa.table(data)):
        one, two = made(table)
        assert one["params"] == {"lr": 0.1, "note": "a", "n": 1}
        assert two["params"] == {"n": 2}
        assert (one["metrics"], two["metrics"]) == ({"loss": (0, 1.5)}, {"loss": (0, 2.5)})
    assert made(frame)[0]["start"] == 1_714_521_600_000
    naive = pd.DataFrame({"start_time": pd.to_datetime(["2024-05-01"])})
    assert made(naive)[0]["start"] == 1_714_521_600_000
    # NaN is no value in pandas, and one everywhere else.
    assert made(pd.DataFrame({"metrics.loss": [math.nan]}))[0]["metrics"] == {}
    assert math.isnan(made({"metrics.loss": np.array([math.nan])})[0]["metrics"]["loss"][1])


def test_what_mlflow_calls_its_columns() -> None:
    ids = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331b7ad6b7169203331"]
    frame = pd.DataFrame(
        {
            "run_id": ids,
            "experiment_id": ["1", "1"],
            "status": ["FINISHED", "SCHEDULED"],
            "artifact_uri": ["s3://a", "s3://b"],
            "start_time": pd.to_datetime(["2024-05-01T00:00:00Z"] * 2),
            "end_time": pd.to_datetime(pd.Series(["2024-05-01T00:00:01Z", None])),
            "metrics.loss": [1.5, math.nan],
            "params.lr": ["0.1", None],
            "tags.mlflow.runName": ["brave-fox", "calm-owl"],
            "tags.mlflow.user": ["me", "me"],
            "tags.mlflow.parentRunId": [None, ids[0]],
        }
    )
    one, two = made(frame)
    assert [one["name"], two["name"]] == ["brave-fox", "calm-owl"]
    assert [one["tags"]["source_run_id"], two["tags"]["source_run_id"]] == ids
    assert two["parent"] == one["id"]
    assert (one["state"], one["end"] - one["start"], two["state"]) == (event_pb2.RUN_STATE_FINISHED, 1000, 0)
    assert two["metrics"] == {}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (5, "int is no table"),
        ({"loss": [1.0]}, "column 'loss': it is none of run_id, .*name it params.loss, metrics.loss or tags.loss"),
        ({"metrics.a": [1.0], "metrics.b": []}, "different lengths"),
        ({"metrics.a": ["much"]}, "metrics.a: .*metrics are numbers, name it params.a or tags.a"),
        ({"steps.a": [1]}, "steps.a: there is no such metric"),
        ({"start_time": ["soon"]}, "start_time of row 1: "),
        ({"start_time": [-1]}, "start_time of row 1: -1 is not from 1970"),
        ({"status": ["FINISHED", "DONE"]}, "state of row 2: 'DONE' is none of RUNNING"),
        ({"run_id": ["a", "a"], "start_time": [1, 1]}, "an id stands twice"),
        ({"deleted": [False, True]}, "a run is deleted"),
    ],
)
def test_what_can_not_be_of_a_run_is_named(table: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made(table)


def test_rows_are_sent_in_pieces_that_fit() -> None:
    table = RunTable({"params.text": ["x" * 16_000] * 700, "metrics.loss": np.arange(700.0)})
    pieces = list(messages(table, 0))
    assert sum(count for count, _ in pieces) == 700
    assert max(piece.ByteSize() for _, piece in pieces) < 4 * 1024 * 1024
    ids = b"".join(piece.run_ids for _, piece in pieces)
    assert ids == b"".join(table.ids)
    values = [value for _, piece in pieces for value in piece.metrics[0].values]
    assert values == list(range(700))
    assert list(messages(RunTable({}), 0)) == []
