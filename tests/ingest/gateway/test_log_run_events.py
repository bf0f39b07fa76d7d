from __future__ import annotations

import hashlib
import math

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_ingest.gateway.log_run_events import events_of, in_words_of_request, metrics_of
from fleetlog_ingest.gateway.screen import screen
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_700_000_000_000


def request(**fields: object) -> ingest_pb2.LogRunRequest:
    return json_format.ParseDict(fields, ingest_pb2.LogRunRequest())


def events(**fields: object) -> list[event_pb2.Event]:
    return events_of(request(**fields), event_pb2.RUN_OPENING_JOIN, 3, NOW)


def test_fields_become_events_in_their_order() -> None:
    found = events(
        name="one",
        params={"lr": 0.5, "layers": 12, "optimizer": "adam", "fused": True},
        tags={"a": "b"},
        metrics=[{"step": 1, "values": {"loss": 2}}],
        artifacts=[{"path": "a.txt", "content": "aGk="}],
        state="RUN_STATE_FINISHED",
        endTimeMillis=5,
    )
    assert [event.WhichOneof("payload") for event in found] == [
        "run_started", "metrics_logged", "artifact_logged", "run_finished",
    ]  # fmt: skip
    assert [event.sequence for event in found] == [1, 2, 3, 4]
    started = found[0].run_started
    assert (started.experiment_id, started.name, dict(started.tags)) == (3, "one", {"a": "b"})
    assert {param.key: param.WhichOneof("value") for param in started.params} == {
        "fused": "truth", "layers": "whole", "lr": "real", "optimizer": "text",
    }  # fmt: skip
    file = found[2].artifact_logged
    assert (file.size_bytes, file.content, file.sha256) == (2, b"hi", hashlib.sha256(b"hi").digest())
    assert found[3].run_finished.end_time_millis == 5


def test_a_state_that_ends_nothing_is_a_change_of_state() -> None:
    assert events(state="RUN_STATE_RUNNING")[1].run_updated.state == event_pb2.RUN_STATE_RUNNING


Rows = st.lists(
    st.tuples(
        st.integers(-(1 << 40), 1 << 40),
        st.dictionaries(st.sampled_from("abc"), st.floats(), min_size=1, max_size=3),
    ),
    max_size=20,
)


@given(Rows)
def test_points_keep_their_order_step_and_value(rows: list[tuple[int, dict[str, float]]]) -> None:
    given_rows = [ingest_pb2.MetricValues(step=step, values=values) for step, values in rows]
    found: list[tuple[int, dict[str, float]]] = []
    for table in metrics_of(given_rows, NOW):
        step = 0
        for place, delta in enumerate(table.step_deltas):
            step += delta
            found.append((step, {column.key: column.values[place] for column in table.columns}))
    assert repr(found) == repr([(step, dict(sorted(values.items()))) for step, values in rows])


def test_times_that_some_rows_say_are_kept_and_the_others_are_now() -> None:
    rows = [ingest_pb2.MetricValues(step=n, time_millis=time, values={"a": n}) for n, time in enumerate((5, 0, 7))]
    (table,) = metrics_of(rows, NOW)
    assert list(table.time_deltas_millis) == [5, NOW - 5, 7 - NOW]
    (table,) = metrics_of([ingest_pb2.MetricValues(values={"a": math.nan})], NOW)
    assert not table.time_deltas_millis


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_a_param_is_text_number_or_truth(value: object) -> None:
    with pytest.raises(InvalidArgument, match="'a' is no text, number or truth"):
        events(params={"a": value})


def test_steps_that_are_too_far_apart_are_refused() -> None:
    far = [{"step": str(step), "values": {"a": 1}} for step in (-(1 << 63), (1 << 63) - 1)]
    with pytest.raises(InvalidArgument, match="differ by more than int64"):
        events(metrics=far)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"params": {"k" * 251: 1}}, "params[0].key"),
        ({"tags": {"k" * 251: "v"}}, "tags"),
        ({"name": "n" * 501}, "name"),
        ({"metrics": [{"step": 1}]}, "metrics"),
        ({"metrics": [{"step": 1, "values": {"k" * 251: 1}}]}, "metrics.columns[0].key"),
        ({"artifacts": [{"path": "ok"}, {"path": "../x"}]}, "artifacts[1].path"),
        ({"state": "RUN_STATE_FAILED", "endTimeMillis": -5}, "end_time_millis"),
        ({"state": 77}, "state"),
    ],
)
def test_refusals_name_the_fields_of_the_request(fields: dict[str, object], field: str) -> None:
    made = frame_pb2.Frame(namespace="default", run_id=b"r" * 16, writer_id=b"w" * 16, events=events(**fields))
    kept = frame_pb2.Frame()
    kept.CopyFrom(made)
    ((_, error),) = screen(made, NOW).refused
    told = in_words_of_request(error, kept)
    assert told.violations[0].field.startswith(field), told.violations
    assert told.message.startswith(field)
    assert (told.reason, type(told)) == (error.reason, type(error))
