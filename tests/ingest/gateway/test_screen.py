from __future__ import annotations

import pytest
from fleetlog_core.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from fleetlog_core.limits import RunLimits
from fleetlog_core.rules.events import extent
from fleetlog_ingest.gateway.keys import StreamKeys
from fleetlog_ingest.gateway.screen import fast_extent, in_place_of, screen
from fleetlog_proto.v1 import event_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.gateway.serving import kinds
from tests.ingest.materializer.builders import frame, metrics, params, start

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def test_a_right_frame_is_kept_as_it_is_with_its_time_and_namespace() -> None:
    sent = frame(start(1), metrics(2, a=[(0, 1.0), (1, 2.0)], b=[(0, 1.0), (1, 2.0)]))
    screened = screen(sent, 17)
    assert (screened.points, screened.refused) == (4, [])
    assert (screened.frame.namespace, screened.frame.ingest_time_millis) == ("default", 17)


def test_every_wrong_event_of_a_frame_is_told_and_replaced() -> None:
    late = event_pb2.Event(sequence=4, observe_time_millis=10**18)
    late.run_finished.state = event_pb2.RUN_STATE_FAILED
    sent = frame(start(1), metrics(2, **{"": [(0, 1.0)]}), params(3, ok="1"), late, event_pb2.Event(sequence=5))
    screened = screen(sent, 1)
    assert [(sequence, error.reason) for sequence, error in screened.refused] == [
        (2, "KEY_EMPTY"),
        (4, "TIME_OUT_OF_RANGE"),
        (5, "UNKNOWN_PAYLOAD"),
    ]
    assert kinds(screened.frame)[1:] == [
        (2, "event_refused"),
        (3, "params_logged"),
        (4, "event_refused"),
        (5, "event_refused"),
    ]


def test_a_client_can_not_write_what_only_gateways_write() -> None:
    forged = event_pb2.Event(sequence=2, event_refused=event_pb2.EventRefused(reason="X", points=10))
    screened = screen(frame(start(1), forged), 1)
    assert [error.reason for _, error in screened.refused] == ["PAYLOAD_NOT_ALLOWED"]
    assert screened.frame.events[1].event_refused.reason == "PAYLOAD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"run_id": b"short"}, "INVALID_ID"),
        ({"run_id": b"x" * 10_240}, "INVALID_ID"),
        ({"writer_id": b"../../etc"}, "INVALID_ID"),
        ({"namespace": "../../etc"}, "INVALID_NAMESPACE"),
        ({"rank": -1}, "RANK_INVALID"),
    ],
)
def test_a_frame_that_belongs_nowhere_is_refused_whole(change: dict[str, str | bytes | int], reason: str) -> None:
    sent = frame(start(1))
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(InvalidArgument) as refused:
        screen(sent, 1)
    assert refused.value.reason == reason
    assert refused.value.violations[0].field.startswith("frame.")


def test_a_writer_begins_with_run_started() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        screen(frame(metrics(1, x=[(0, 1.0)])), 1)
    assert refused.value.reason == "RUN_NOT_STARTED"


def test_what_stands_in_for_a_refused_event_is_small() -> None:
    huge = metrics(3, **{"k" * 300: [(step, 1.0) for step in range(1000)]})
    small = in_place_of(huge, InvalidArgument("KEY_TOO_LONG", "x" * 5000))
    assert small.ByteSize() < 1_100
    assert (small.sequence, small.event_refused.points) == (3, 1000)


def test_keys_are_counted_by_run_and_only_those_of_events_that_are_kept() -> None:
    keys = StreamKeys(RunLimits(3, 2, 2))

    def refused(*events: event_pb2.Event, run: bytes = bytes(16)) -> list[str]:
        return [error.reason for _, error in screen(frame(*events, run=run), 1, keys).refused]

    assert refused(start(1, lr="1", seed="1"), metrics(2, a=[(0, 1.0)], b=[(0, 1.0)])) == []
    assert refused(metrics(3, c=[(0, 1.0)], d=[(0, 1.0)]), metrics(4, c=[(0, 1.0)])) == ["TOO_MANY_METRICS"]
    assert refused(params(5, lr="1", other="2"), params(6, seed="1")) == ["TOO_MANY_PARAMS"]
    tagged = event_pb2.Event(sequence=7, tags_set=event_pb2.TagsSet(tags={"a": "", "b": "", "c": ""}))
    assert refused(tagged) == ["TOO_MANY_TAGS"]
    assert refused(start(1), metrics(2, d=[(0, 1.0)]), run=bytes(15) + b"1") == []


def test_a_stream_of_very_many_runs_forgets_the_oldest_rather_than_grow() -> None:
    keys = StreamKeys(RunLimits(2, 2, 2), most_keys=4)
    for number in range(100):
        keys.admit("default", number.to_bytes(16, "big"), metrics(1, a=[(0, 1.0)], b=[(0, 1.0)]), "events[0]")
    keys.admit("default", (0).to_bytes(16, "big"), metrics(2, c=[(0, 1.0)]), "events[0]")
    with pytest.raises(ResourceExhausted, match="METRICS_PER_RUN"):
        keys.admit("default", (99).to_bytes(16, "big"), metrics(2, c=[(0, 1.0)]), "events[0]")


@given(st.lists(st.one_of(st.integers(-3, 3), INT64), min_size=1, max_size=200))
def test_sums_by_numpy_are_those_of_python(deltas: list[int]) -> None:
    assert fast_extent(deltas) == extent(deltas)
