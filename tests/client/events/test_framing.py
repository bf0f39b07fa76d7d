"""Whatever is put into the framer can be read out of its frames: all of it, in order, within every limit."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pytest
from fleetlog._events.framing import FRAME_BYTES, Framer
from fleetlog._events.items import Fact, Item, Loss, Marker, Row, Slice, Writer
from fleetlog_core import limits
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.frames import check_frame
from fleetlog_proto.v1 import event_pb2, frame_pb2
from hypothesis import given
from hypothesis import strategies as st

INT64 = 1 << 63
KEYS = ["loss", "ü" * 250, "train/loss", "a b", "𝔘" * 250]
steps = st.one_of(st.integers(-INT64, INT64 - 1), st.integers(0, 50), st.sampled_from([-INT64, INT64 - 1, 0]))
values = st.floats(width=64, allow_nan=True, allow_infinity=True)
times = st.integers(limits.MIN_TIME_MILLIS, limits.MAX_TIME_MILLIS)


@dataclass(frozen=True)
class Point:
    key: str
    step: int
    time: int
    bits: bytes


def writer(number: int = 0) -> Writer:
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_CREATE)
    return Writer("default", bytes([number]) * 16, bytes([number]) * 16, None, "Default", started)


def opened(one: Writer) -> Fact:
    return Fact(one, event_pb2.Event(run_started=one.started))


def framed(items: Sequence[Item]) -> list[tuple[Writer, frame_pb2.Frame] | Marker]:
    """The frames, each held against the gateway's own rules."""
    made = list(Framer().frames(items))
    for one in made:
        if isinstance(one, Marker):
            continue
        frame = one[1]
        check_frame(frame)
        for place, event in enumerate(frame.events):
            check_event(event, f"events[{place}]")
        content = sum(len(event.artifact_logged.content) for event in frame.events)
        assert frame.ByteSize() <= FRAME_BYTES + content
        assert frame.ByteSize() <= limits.FRAME_BYTES
    return made


def points_of(frame: frame_pb2.Frame) -> Iterable[Point]:
    for event in frame.events:
        metrics = event.metrics_logged
        at = list(accumulate(metrics.step_deltas))
        when = list(accumulate(metrics.time_deltas_millis)) or [event.observe_time_millis] * len(at)
        for column in metrics.columns:
            for step, time, value in zip(at, when, column.values, strict=True):
                yield Point(column.key, step, time, struct.pack("<d", value))


def by_writer_and_key(pairs: Iterable[tuple[int, Point]]) -> dict[tuple[int, str], list[Point]]:
    found: dict[tuple[int, str], list[Point]] = {}
    for number, point in pairs:
        found.setdefault((number, point.key), []).append(point)
    return found


@st.composite
def logged(draw: st.DrawFn) -> tuple[list[Writer], list[Item], list[tuple[int, Point]]]:
    """Writers, what they put in one order, and the points that this is."""
    writers = [writer(number) for number in range(draw(st.integers(1, 3)))]
    items: list[Item] = [opened(one) for one in writers]
    points: list[tuple[int, Point]] = []
    for _ in range(draw(st.integers(0, 25))):
        number = draw(st.integers(0, len(writers) - 1))
        kind = draw(st.sampled_from(["row", "row", "row", "series", "fact", "marker"]))
        now = draw(times)
        if kind == "row":
            keys = tuple(draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)))
            row = [draw(values) for _ in keys]
            step = draw(steps)
            items.append(Row(writers[number], keys, row, step, now))
            points += [(number, Point(k, step, now, struct.pack("<d", v))) for k, v in zip(keys, row, strict=True)]
        elif kind == "series":
            key, count = draw(st.sampled_from(KEYS)), draw(st.integers(1, 8))
            at, vs = [draw(steps) for _ in range(count)], [draw(values) for _ in range(count)]
            when = draw(st.one_of(st.none(), st.lists(times, min_size=count, max_size=count)))
            if draw(st.booleans()):
                given_times = None if when is None else np.array(when, dtype=np.int64)
                items.append(Slice(writers[number], key, np.array(at, np.int64), np.array(vs), given_times, now))
            else:
                items.append(Slice(writers[number], key, at, vs, when, now))
            points += [
                (number, Point(key, s, now if when is None else when[i], struct.pack("<d", v)))
                for i, (s, v) in enumerate(zip(at, vs, strict=True))
            ]
        elif kind == "fact":
            tags = event_pb2.TagsSet(tags={"k": "v"})
            items.append(Fact(writers[number], event_pb2.Event(tags_set=tags)))
        else:
            items.append(Marker())
    return writers, items, points


@given(logged())
def test_every_point_comes_out_exactly_and_in_order(
    given_: tuple[list[Writer], list[Item], list[tuple[int, Point]]],
) -> None:
    writers, items, points = given_
    out: list[tuple[int, Point]] = []
    sequences: dict[int, list[int]] = {number: [] for number in range(len(writers))}
    for made in framed(items):
        if isinstance(made, Marker):
            continue
        number = writers.index(made[0])
        out += [(number, point) for point in points_of(made[1])]
        sequences[number] += [event.sequence for event in made[1].events]
    assert by_writer_and_key(out) == by_writer_and_key(points)
    for told in sequences.values():
        assert told == list(range(1, len(told) + 1))


@given(logged())
def test_a_marker_stands_behind_all_that_was_put_before_it(
    given_: tuple[list[Writer], list[Item], list[tuple[int, Point]]],
) -> None:
    _, items, _ = given_
    before = []
    count = 0
    for item in items:
        if isinstance(item, Marker):
            before.append(count)
        else:
            count += item.points if not isinstance(item, Fact) else 0
    seen = []
    count = 0
    for made in framed(items):
        if isinstance(made, Marker):
            seen.append(count)
        else:
            count += len(list(points_of(made[1])))
    assert seen == before


def test_steps_at_both_ends_of_int64_are_kept() -> None:
    one = writer()
    at = [-INT64, INT64 - 1, -INT64, 0, INT64 - 1]
    items: list[Item] = [opened(one), *[Row(one, ("x",), [float(n)], step, n) for n, step in enumerate(at)]]
    items.append(Slice(one, "y", np.array(at, np.int64), np.arange(5.0), None, 7))
    found = by_writer_and_key(
        (0, p) for made in framed(items) if not isinstance(made, Marker) for p in points_of(made[1])
    )
    assert [point.step for point in found[0, "x"]] == at
    assert [point.step for point in found[0, "y"]] == at


def test_a_row_of_more_columns_than_an_event_takes_is_cut() -> None:
    one = writer()
    keys = tuple(f"{'长' * 130}{number}" for number in range(12_000))
    items: list[Item] = [opened(one), Row(one, keys, [float(n) for n in range(len(keys))], 3, 1000)]
    frames = [made[1] for made in framed(items) if not isinstance(made, Marker)]
    tables = [event.metrics_logged for frame in frames for event in frame.events if event.HasField("metrics_logged")]
    columns = [column for table in tables for column in table.columns]
    assert [column.key for column in columns] == list(keys)
    assert [column.values[0] for column in columns] == list(range(len(keys)))
    assert [list(table.step_deltas) for table in tables] == [[3]] * len(tables)
    assert max(len(table.columns) for table in tables) <= limits.COLUMNS_PER_EVENT


def test_keys_that_take_turns_stay_within_the_events_of_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_PER_FRAME", 100)
    one = writer()
    items: list[Item] = [opened(one)]
    keys = ("a",), ("a", "b")
    items += [
        Row(one, keys[step % 2], [1.0] * (1 + step % 2), step, 1000) for step in range(limits.EVENTS_PER_FRAME + 10)
    ]
    frames = [made[1] for made in framed(items) if not isinstance(made, Marker)]
    assert sum(len(frame.events) for frame in frames) == len(items)
    assert max(len(frame.events) for frame in frames) == limits.EVENTS_PER_FRAME


def test_bulk_with_wide_steps_and_times_is_cut_to_frames() -> None:
    one = writer()
    generator = np.random.default_rng(3)
    at = generator.integers(-INT64 // 2, INT64 // 2, 100_000)
    when = generator.integers(0, limits.MAX_TIME_MILLIS, 100_000)
    items: list[Item] = [opened(one), Slice(one, "x", at, generator.random(100_000), when, 0)]
    frames = [made[1] for made in framed(items) if not isinstance(made, Marker)]
    tables = [event.metrics_logged for frame in frames for event in frame.events[frame is frames[0] :]]
    for deltas, wanted in (("step_deltas", at), ("time_deltas_millis", when)):
        found = [np.cumsum(np.array(getattr(table, deltas), np.int64)) for table in tables]
        assert np.array_equal(np.concatenate(found), wanted)


def test_a_loss_is_told_where_it_happened() -> None:
    one = writer()
    items: list[Item] = [opened(one), Row(one, ("x",), [1.0], 1, 1), Loss(one, "BUFFER_FULL", 7, 2)]
    items.append(Row(one, ("x",), [math.nan], 9, 1))
    (made,) = framed(items)
    assert not isinstance(made, Marker)
    kinds = [event.WhichOneof("payload") for event in made[1].events]
    assert kinds == ["run_started", "metrics_logged", "loss_reported", "metrics_logged"]
    loss = made[1].events[2].loss_reported
    assert (loss.points, loss.events, loss.reason) == (7, 2, "BUFFER_FULL")


def test_what_no_frame_can_hold_costs_itself_alone_and_is_told() -> None:
    one = writer()
    huge = event_pb2.Event(tags_set=event_pb2.TagsSet(tags={str(n): "v" * 16_000 for n in range(300)}))
    bad = Row(one, ("x",), ["text"], 2, 1)  # type: ignore[list-item]
    items: list[Item] = [
        opened(one),
        Row(one, ("x",), [1.0], 1, 1),
        bad,
        Row(one, ("x",), [3.0], 3, 1),
        Fact(one, huge),
    ]
    (made,) = framed(items)
    assert not isinstance(made, Marker)
    assert [point.step for point in points_of(made[1])] == [1, 3]
    losses = [event.loss_reported for event in made[1].events if event.HasField("loss_reported")]
    assert [(loss.points, loss.events, loss.reason) for loss in losses] == [
        (1, 0, "NOT_ENCODABLE"), (0, 1, "EVENT_TOO_LARGE"),
    ]  # fmt: skip


def test_frames_of_a_logged_model_say_so_and_begin_with_what_was_put() -> None:
    author = writer()
    author.started, author.subject = None, frame_pb2.SUBJECT_MODEL
    event = event_pb2.Event(loss_reported=event_pb2.LossReported(points=1))
    ((_, frame),) = [made for made in framed([Fact(author, event)]) if not isinstance(made, Marker)]
    assert (frame.subject, frame.events[0].sequence, frame.run_id) == (frame_pb2.SUBJECT_MODEL, 1, author.run_id)
