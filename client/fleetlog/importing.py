"""Rows of a table of runs as the message that carries them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2

from fleetlog.params import to_param
from fleetlog.run_tables import RunTable

MESSAGE_BYTES = 2_000_000
MOST_ROWS = 5_000
_SAMPLE = 100


def messages(table: RunTable, experiment_id: int) -> Iterator[tuple[int, event_pb2.RunsImported]]:
    """The rows in order, in messages of which each fits into a request, and how many rows each has."""
    first, rows = 0, _SAMPLE
    while first < table.count:
        found = message(table, experiment_id, first, min(first + rows, table.count))
        size, count = found.ByteSize(), len(found.states)
        if size > limits.REQUEST_BYTES - 1000 and count > 1:
            rows = count // 2
            continue
        yield count, found
        first += count
        rows = max(1, min(MOST_ROWS, count * MESSAGE_BYTES // size))


def message(table: RunTable, experiment_id: int, first: int, last: int) -> event_pb2.RunsImported:
    """Rows first to last, without the last. ValueError for a metric that is no number."""
    found = event_pb2.RunsImported(
        experiment_id=experiment_id,
        run_ids=b"".join(table.ids[first:last]),
        start_times_millis=table.starts[first:last],
        end_times_millis=table.ends[first:last],
        parent_run_ids=b"".join(table.parents[first:last]),
    )
    found.states.extend(table.states[first:last])  # type: ignore[arg-type]
    for texts, into in ((table.names, found.names), (table.users, found.users)):
        if texts is not None:
            _fill(into, ["" if text is None else str(text) for text in _values(texts, first, last)])
    for key, values in table.params.items():
        _add_params(found, key, _values(values, first, last))
    for key, values in table.tags.items():
        rows, there = _there(_values(values, first, last))
        if there:
            _fill(found.tags.add(key=key, rows=rows).texts, [str(value) for value in there])
    for key, values in table.metrics.items():
        rows, there = _there(_values(values, first, last))
        if there:
            column = found.metrics.add(key=key, rows=rows, values=_numbers(key, there))
            if key in table.steps:
                column.steps.extend(_steps(_values(table.steps[key], first, last), rows))
    return found


def _values(values: Sequence[Any], first: int, last: int) -> list[Any]:
    piece = values[first:last]
    tolist = getattr(piece, "tolist", None)
    found: list[Any] = list(piece) if tolist is None else tolist()
    return found


def _there(values: list[Any]) -> tuple[list[int], list[Any]]:
    """The places of the values that are there (empty when all are), and these."""
    if None not in values:
        return [], values
    rows = [place for place, value in enumerate(values) if value is not None]
    return rows, [values[place] for place in rows]


def _add_params(found: event_pb2.RunsImported, key: str, values: list[Any]) -> None:
    """A column for each type that there is."""
    rows, there = _there(values)
    kinds = set(map(type, there))
    if kinds == {float}:
        found.params.add(key=key, rows=rows, reals=there)
    elif kinds == {str}:
        _fill(found.params.add(key=key, rows=rows).texts, there)
    else:
        by_type: defaultdict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
        for place, value in enumerate(there):
            param = to_param(key, value)
            kind: str = param.WhichOneof("value") or "text"
            by_type[kind][0].append(rows[place] if rows else place)
            by_type[kind][1].append(getattr(param, kind))
        for name, (places, typed) in by_type.items():
            column = found.params.add(key=key, rows=[] if len(places) == len(values) else places)
            if name == "text":
                _fill(column.texts, typed)
            else:
                getattr(column, f"{name}s").extend(typed)


def _fill(into: event_pb2.TextValues, texts: list[str]) -> None:
    """The texts, each once when few are distinct."""
    codes = {text: code for code, text in enumerate(dict.fromkeys(texts))}
    if 2 * len(codes) > len(texts):
        into.texts.extend(texts)
    else:
        into.texts.extend(codes)
        into.codes.extend(map(codes.__getitem__, texts))


def _numbers(key: str, values: list[Any]) -> list[float]:
    if set(map(type, values)) == {float}:
        return values
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise ValueError(f"metrics.{key}: {error}; metrics are numbers, name it params.{key} or tags.{key}") from None


def _steps(steps: Sequence[Any], rows: list[int]) -> list[int]:
    if not rows and set(map(type, steps)) == {int}:
        return list(steps)
    return [int(steps[place]) for place in rows] if rows else [int(step) for step in steps]
