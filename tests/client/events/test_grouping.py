"""Few and large frames for runs that are written in turns, each in its own order."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog._events.framing import Framer
from fleetlog._events.grouping import by_keys, by_writer
from fleetlog._events.items import Fact, Item, Marker, Row, Writer
from fleetlog_proto.v1 import event_pb2, frame_pb2


def writer(number: int) -> Writer:
    return Writer("default", bytes([number]) * 16, b"w" * 16, None, "Default", event_pb2.RunStarted())


def row(of: Writer, step: int, key: str = "x") -> Row:
    return Row(of, (key,), [float(step)], step, 1_000)


def framed(items: Sequence[Item]) -> list[frame_pb2.Frame | Marker]:
    return [made if isinstance(made, Marker) else made[1] for made in Framer().frames(by_writer(items))]


def test_runs_that_are_written_in_turns_make_a_frame_each() -> None:
    writers = [writer(number) for number in range(3)]
    marker = Marker()
    rows = [row(one, step) for step in range(100) for one in writers]
    *frames, reached, behind = framed([*rows, marker, row(writers[1], 100)])
    assert reached is marker
    for made, one in zip(frames, writers, strict=True):
        assert isinstance(made, frame_pb2.Frame)
        assert made.run_id == one.run_id
        (event,) = made.events
        assert event.metrics_logged.columns[0].values == [float(step) for step in range(100)]
    assert isinstance(behind, frame_pb2.Frame)
    assert behind.events[0].sequence == 2


def test_what_one_writer_says_stays_in_its_order() -> None:
    one, other = writer(1), writer(2)
    tags = event_pb2.Event(tags_set=event_pb2.TagsSet(tags={"a": "1"}))
    made, _ = framed([row(one, 1), row(other, 1), Fact(one, tags), row(other, 2), row(one, 2), row(one, 3, "y")])
    assert isinstance(made, frame_pb2.Frame)
    assert [event.sequence for event in made.events] == [1, 2, 3, 4]
    assert [event.WhichOneof("payload") for event in made.events][:2] == ["metrics_logged", "tags_set"]
    assert [event.metrics_logged.columns[0].key for event in made.events[2:]] == ["x", "y"]


def columns(events: Sequence[event_pb2.Event]) -> list[tuple[list[str], int]]:
    """The metrics of each event, and how many rows it has."""
    tables = [event.metrics_logged for event in events]
    return [([column.key for column in table.columns], len(table.step_deltas)) for table in tables]


def test_metrics_that_are_logged_in_turns_make_an_event_each_with_the_times_of_their_points() -> None:
    one = writer(1)
    rows = [
        Row(one, (key,), [float(place)], step, 1_000 + 3 * step + place)
        for step in range(50)
        for place, key in enumerate("abc")
    ]
    (made,) = framed(rows)
    assert isinstance(made, frame_pb2.Frame)
    assert columns(made.events) == [(["a"], 50), (["b"], 50), (["c"], 50)]
    assert [event.metrics_logged.time_deltas_millis[:2] for event in made.events] == [
        [1_000, 3],
        [1_001, 3],
        [1_002, 3],
    ]


def test_two_values_of_a_metric_at_one_step_stay_in_their_order_whatever_is_logged_beside_it() -> None:
    one = writer(1)
    rows = [Row(one, keys, [1.0] * len(keys), 7, 1_000) for keys in (("a",), ("b",), ("a", "c"), ("b",), ("a",))]
    (made,) = framed(rows)
    assert isinstance(made, frame_pb2.Frame)
    assert columns(made.events) == [(["a"], 1), (["b"], 1), (["a", "c"], 1), (["b"], 1), (["a"], 1)]


def test_a_group_that_is_full_makes_an_event_and_the_next_one_goes_on() -> None:
    rows = [Row(writer(1), (key,), [0.0], step, 1_000) for step in range(5) for key in "ab"]
    assert [(group[0].keys, [row.step for row in group]) for group in by_keys(rows, 2)] == [
        (("a",), [0, 1]),
        (("b",), [0, 1]),
        (("a",), [2, 3]),
        (("b",), [2, 3]),
        (("a",), [4]),
        (("b",), [4]),
    ]
