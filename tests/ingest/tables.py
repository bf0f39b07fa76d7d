"""Random tables of runs, and the events that they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleetlog_core.rules.imports import rows_of, type_of
from fleetlog_proto.v1 import event_pb2
from hypothesis import strategies as st

NOW = 1_700_000_000_000
KEYS = ["a", "b/c", "ß"]
texts = st.sampled_from(["", "1", "-2.5e3", "x", "déjà", "y" * 200])
numbers = st.sampled_from([0.0, -0.0, 1.5, -1e300, math.nan, math.inf, -math.inf, 1e-7])
VALUES = {"texts": texts, "wholes": st.integers(-(1 << 63), (1 << 63) - 1), "reals": numbers, "truths": st.booleans()}


def run_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


@st.composite
def tables(draw: st.DrawFn, most: int = 5) -> event_pb2.RunsImported:
    """A right one, of runs whose numbers are below 20."""
    ids = draw(st.lists(st.integers(0, 19), min_size=1, max_size=most, unique=True))
    count = len(ids)
    states = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    runs = event_pb2.RunsImported(
        experiment_id=draw(st.integers(0, 2)),
        run_ids=b"".join(map(run_id, ids)),
        start_times_millis=draw(st.lists(st.integers(1, NOW), min_size=count, max_size=count)),
    )
    runs.states.extend(states)  # type: ignore[arg-type]
    if draw(st.booleans()):
        runs.end_times_millis.extend([0 if state == 1 else draw(st.integers(0, NOW)) for state in states])
    if draw(st.booleans()):
        runs.parent_run_ids = b"".join(run_id(draw(st.integers(0, 2))) for _ in ids)
    for into in (runs.names, runs.users):
        if draw(st.booleans()):
            _fill(draw, into, count)
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
        kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=2, unique=True))
        split = draw(st.integers(0, count))
        # Of two types the first has the rows before the split, the other those behind it.
        ranges = [range(count)] if len(kinds) == 1 else [range(split), range(split, count)]
        for kind, whole in zip(kinds, ranges, strict=True):
            rows = _some(draw, whole, count)
            if rows is None:
                continue
            column = runs.params.add(key=key, rows=rows)
            if kind == "texts":
                _fill(draw, column.texts, len(rows) or count)
            else:
                getattr(column, kind).extend([draw(VALUES[kind]) for _ in rows or range(count)])
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
        if (rows := _some(draw, range(count), count)) is not None:
            _fill(draw, runs.tags.add(key=key, rows=rows).texts, len(rows) or count)
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
        if (rows := _some(draw, range(count), count)) is not None:
            values = [draw(numbers) for _ in rows or range(count)]
            steps = [draw(st.integers(-5, 5)) for _ in values] if draw(st.booleans()) else []
            times = [draw(st.integers(0, NOW)) for _ in values] if draw(st.booleans()) else []
            runs.metrics.add(key=key, rows=rows, values=values, steps=steps, times_millis=times)
    return runs


def _some(draw: st.DrawFn, whole: Sequence[int], count: int) -> list[int] | None:
    """Some of the rows, as ImportedParams.rows tells them; None for none."""
    rows = [row for row in whole if draw(st.booleans())]
    if len(rows) == count:
        return []
    return rows or None


def _fill(draw: st.DrawFn, into: event_pb2.TextValues, count: int) -> None:
    values = [draw(texts) for _ in range(count)]
    if draw(st.booleans()):
        distinct = list(dict.fromkeys(values))
        into.texts.extend(distinct)
        into.codes.extend(map(distinct.index, values))
    else:
        into.texts.extend(values)


def values_of(values: event_pb2.TextValues) -> list[str]:
    return [values.texts[code] for code in values.codes] or list(values.texts)


def expanded(runs: event_pb2.RunsImported) -> dict[bytes, list[event_pb2.Event]]:
    """What training code would have sent of each run: what it was, and last how it ended."""
    count = len(runs.states)
    ids = [runs.run_ids[16 * place :][:16] for place in range(count)]
    names, users = values_of(runs.names) or [""] * count, values_of(runs.users) or [""] * count
    found: dict[bytes, list[event_pb2.Event]] = {}
    for place, run in enumerate(ids):
        start, end = runs.start_times_millis[place], runs.end_times_millis[place] if runs.end_times_millis else 0
        ended = runs.states[place] != event_pb2.RUN_STATE_RUNNING
        time = (end or start) if ended else start
        events = [event_pb2.Event(observe_time_millis=time) for _ in range(3)]
        started = events[0].run_started
        started.experiment_id, started.start_time_millis = runs.experiment_id, start
        started.name, started.user = names[place], users[place]
        started.parent_run_id = runs.parent_run_ids[16 * place :][:16]
        for param in runs.params:
            if (value := _at(param, place, count)) is not None:
                kind = type_of(param)
                listed = values_of(param.texts) if kind == "texts" else getattr(param, kind)
                started.params.add(key=param.key, **{kind.removesuffix("s"): listed[value]})
        for tag in runs.tags:
            if (value := _at(tag, place, count)) is not None:
                started.tags[tag.key] = values_of(tag.texts)[value]
        for metric in runs.metrics:
            if (value := _at(metric, place, count)) is not None:
                event = event_pb2.Event(observe_time_millis=time)
                event.metrics_logged.time_deltas_millis.extend(metric.times_millis[value : value + 1])
                event.metrics_logged.step_deltas.append(metric.steps[value] if metric.steps else 0)
                event.metrics_logged.columns.add(key=metric.key, values=[metric.values[value]])
                events.insert(1, event)
        events[-1].run_finished.state = runs.states[place]
        events[-1].run_finished.end_time_millis = time
        del events[-2]
        if not ended:
            del events[-1]
        for sequence, event in enumerate(events, start=1):
            event.sequence = sequence
        found[run] = events
    return found


def _at(
    column: event_pb2.ImportedParams | event_pb2.ImportedTags | event_pb2.ImportedMetric, place: int, count: int
) -> int | None:
    """Which of the column's values is the run's."""
    rows = rows_of(column, count).tolist()
    return rows.index(place) if place in rows else None
