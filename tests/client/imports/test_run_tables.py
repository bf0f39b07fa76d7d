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
from fleetlog._imports.importing import LeftOutValue, message, messages, told_of
from fleetlog._imports.run_tables import RunTable
from fleetlog_core.ids import new_run_id
from fleetlog_core.rules.imports import check_import
from fleetlog_proto.v1 import event_pb2

from tests.ingest.tables import expanded
from tests.zones import local_zone

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
        ({"metrics.a": [1.0], "steps.a": ["x"]}, "steps.a of row 1: step 'x' is not a whole number"),
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


def test_a_value_that_no_run_can_have_costs_no_other() -> None:
    table = RunTable(
        {
            "name": ["one", "two\nlines", "three"],
            "metrics.loss": [1, "much", 3.0],
            "params.text": ["x" * 20_000, "ok", "caf\udce9"],
            "params.mixed": [1, Unwritable(), "x"],
            "tags.diff": ["small", "x" * 20_000, 5],
            "tags.all": ["x" * 20_000] * 3,
        }
    )
    left_out: list[LeftOutValue] = []
    ((count, runs),) = messages(table, 3, left_out)
    check_import(runs, "runs")
    assert count == 3
    started, *_ = (events[0].run_started for events in expanded(runs).values())
    found = [events[0].run_started for events in expanded(runs).values()]
    assert [one.name for one in found] == ["one", "", "three"]
    assert [{param.key: getattr(param, param.WhichOneof("value") or "") for param in one.params} for one in found] == [
        {"mixed": 1}, {"text": "ok"}, {"mixed": "x", "text": "caf\\udce9"},
    ]  # fmt: skip
    assert [dict(one.tags) for one in found] == [{"diff": "small"}, {}, {"diff": "5"}]
    assert started.name == "one"
    assert {(one.row, one.column, one.reason) for one in left_out} == {
        (2, "name", "NAME_INVALID"), (2, "metrics.loss", "NOT_A_NUMBER"), (1, "params.text", "TEXT_TOO_LONG"),
        (2, "params.mixed", "TEXT_INVALID"), (2, "tags.diff", "TEXT_TOO_LONG"), (1, "tags.all", "TEXT_TOO_LONG"),
        (2, "tags.all", "TEXT_TOO_LONG"), (3, "tags.all", "TEXT_TOO_LONG"),
    }  # fmt: skip
    assert told_of(left_out).startswith("8 values were left out: ")


class Unwritable:
    def __str__(self) -> str:
        raise RuntimeError


def test_rows_are_named_by_their_place_in_the_whole_table() -> None:
    left_out: list[LeftOutValue] = []
    losses: list[Any] = [1.0] * 999 + ["much"]
    assert sum(count for count, _ in messages(RunTable({"metrics.loss": losses}), 3, left_out)) == 1000
    assert [one.row for one in left_out] == [1000]


def test_an_index_that_pandas_wrote_is_passed_over() -> None:
    for name in ("", "Unnamed: 0", "__index_level_0__"):
        assert made({name: [0, 1], "metrics.loss": [1.0, 2.0]})[1]["metrics"] == {"loss": (0, 2.0)}


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_a_time_without_a_zone_is_local_in_every_kind_of_table(zone: str) -> None:
    when = datetime(2024, 7, 1, 12)
    with local_zone(zone):
        aware = when.astimezone()
        columns: list[Any] = [
            [when], [str(when)], [aware], [aware.isoformat()], pd.Series([when]), pd.Series([aware]), pl.Series([when]),
            np.array([when], dtype="datetime64[ns]"), pa.array([when]), [aware.timestamp()], [aware.timestamp() * 1000],
            [np.datetime64(when)], [str(int(aware.timestamp()))],
        ]  # fmt: skip
        for column in columns:
            tables: list[Any] = [{"start_time": column}]
            if isinstance(column, pa.Array):
                tables = [pa.table({"start_time": column})]
            elif isinstance(column, pl.Series):
                tables.append(pl.DataFrame({"start_time": column}))
            elif isinstance(column, pd.Series):
                tables.append(pd.DataFrame({"start_time": column}))
            for table in tables:
                assert made(table)[0]["start"] == round(aware.timestamp() * 1000), type(column)


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
