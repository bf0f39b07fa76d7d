"""Rows of a table of runs as the message that carries them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.rules.names import check_run_name, check_text, check_user, fits
from fleetlog_core.times import SECONDS_BELOW, to_millis
from fleetlog_proto.v1 import event_pb2

from fleetlog._imports.run_tables import RunTable
from fleetlog._values.params import to_param
from fleetlog._values.values import Unusable, foreign, number, step_number, text

T = TypeVar("T")

MESSAGE_BYTES = 2_000_000
MOST_ROWS = 5_000
_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class LeftOutValue:
    """A value of a table that no run can have; the rest of its row was imported."""

    row: int
    """From 1, without the header."""
    column: str
    reason: str
    why: str

    def __str__(self) -> str:
        return f"row {self.row:,}, {shown(self.column)}: {self.why}"


def told_of(left_out: Sequence[LeftOutValue], most: int = 5) -> str:
    """Values that were left out, in words: the first of them."""
    more = f"; and {len(left_out) - most:,} more" if len(left_out) > most else ""
    return f"{len(left_out):,} values were left out: " + "; ".join(map(str, left_out[:most])) + more


class _Piece:
    """Some rows of a table while their message is made, and what is left out of it."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.left_out: list[LeftOutValue] = []

    def usable(
        self, column: str, rows: list[int], values: list[Any], convert: Callable[[Any], T]
    ) -> tuple[list[int], list[T]]:
        """The values that can be converted, and their places (empty: all)."""
        found: list[T] = []
        places: list[int] = []
        for place, value in enumerate(values):
            row = rows[place] if rows else place
            try:
                found.append(convert(value))
                places.append(row)
            except Unusable as error:
                self._leave_out(row, column, error.reason, str(error))
            except InvalidArgument as error:
                self._leave_out(row, column, error.reason, error.violations[0].description)
        return (rows if len(found) == len(values) else places), found

    def _leave_out(self, row: int, column: str, reason: str, why: str) -> None:
        self.left_out.append(LeftOutValue(self.first + row + 1, column, reason, why))


def messages(
    table: RunTable, experiment_id: int, left_out: list[LeftOutValue] | None = None
) -> Iterator[tuple[int, event_pb2.RunsImported]]:
    """The rows in order, in messages of which each fits into a request, and how many rows each has.

    Values that no run can have go to `left_out`.
    """
    first, rows = 0, _SAMPLE
    while first < table.count:
        piece = _Piece(first)
        found = message(table, experiment_id, first, min(first + rows, table.count), piece)
        size, count = found.ByteSize(), len(found.states)
        if size > limits.REQUEST_BYTES - 1000 and count > 1:
            rows = count // 2
            continue
        if left_out is not None:
            left_out += piece.left_out
        yield count, found
        first += count
        rows = max(1, min(MOST_ROWS, count * MESSAGE_BYTES // size))


def message(
    table: RunTable, experiment_id: int, first: int, last: int, piece: _Piece | None = None
) -> event_pb2.RunsImported:
    """Rows first to last, without the last, but for values that no run can have."""
    piece = piece or _Piece(first)
    found = event_pb2.RunsImported(
        experiment_id=experiment_id,
        run_ids=b"".join(table.ids[first:last]),
        start_times_millis=table.starts[first:last],
        end_times_millis=table.ends[first:last],
        parent_run_ids=b"".join(table.parents[first:last]),
    )
    found.states.extend(table.states[first:last])  # type: ignore[arg-type]
    labels = (("name", table.names, found.names, check_run_name), ("user", table.users, found.users, check_user))
    for name, texts, into, check in labels:
        if texts is not None:
            _fill(into, _labels(piece, name, _values(texts, first, last), check))
    for key, values in table.params.items():
        _add_params(piece, found, key, _values(values, first, last))
    for key, values in table.tags.items():
        rows, there = _there(_values(values, first, last))
        rows, right = (rows, there) if _are_texts(there) else piece.usable(f"tags.{key}", rows, there, _tag)
        if right:
            _fill(found.tags.add(key=key, rows=rows).texts, right)
    for key, values in table.metrics.items():
        rows, there = _there(_values(values, first, last))
        if set(map(type, there)) != {float}:
            rows, there = piece.usable(f"metrics.{key}", rows, there, number)
        if there:
            column = found.metrics.add(key=key, rows=rows, values=there)
            if key in table.steps:
                column.steps.extend(_steps(key, first, _values(table.steps[key], first, last), rows))
            if key in table.times:
                column.times_millis.extend(_times(key, first, _values(table.times[key], first, last), rows))
    return found


def _labels(piece: _Piece, column: str, values: list[Any], check: Callable[[str, str], None]) -> list[str]:
    """A text for each row: empty where there is none."""

    def label(value: object) -> str:
        found = "" if value is None else text(value)
        check(found, column)
        return found

    rows, found = piece.usable(column, [], values, label)
    if len(found) == len(values):
        return found
    by_row = dict(zip(rows, found, strict=True))
    return [by_row.get(row, "") for row in range(len(values))]


def _tag(value: object) -> str:
    found = text(value)
    check_text(found, "tag")
    return found


def _are_texts(values: list[Any]) -> bool:
    """True if all of them are texts that can be kept as they are; False if each has to be looked at."""
    if set(map(type, values)) != {str} or not fits(max(values, key=len)):
        return False
    joined = "".join(values)
    return joined.isascii() or text(joined) == joined


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


def _add_params(piece: _Piece, found: event_pb2.RunsImported, key: str, values: list[Any]) -> None:
    """A column for each type that there is."""
    rows, there = _there(values)
    if set(map(type, there)) == {float}:
        found.params.add(key=key, rows=rows, reals=there)
        return
    if _are_texts(there):
        _fill(found.params.add(key=key, rows=rows).texts, there)
        return
    by_type: defaultdict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
    rows, params = piece.usable(f"params.{key}", rows, there, lambda value: _param(key, value))
    for place, param in enumerate(params):
        kind: str = param.WhichOneof("value") or "text"
        by_type[kind][0].append(rows[place] if rows else place)
        by_type[kind][1].append(getattr(param, kind))
    for name, (places, typed) in by_type.items():
        column = found.params.add(key=key, rows=[] if len(places) == len(values) else places)
        if name == "text":
            _fill(column.texts, typed)
        else:
            getattr(column, f"{name}s").extend(typed)


def _param(key: str, value: object) -> event_pb2.Param:
    with foreign("VALUE_INVALID"):
        param = to_param(key, value)
    check_text(param.text, "param")
    return param


def _fill(into: event_pb2.TextValues, texts: list[str]) -> None:
    """The texts, each once when few are distinct."""
    codes = {text: code for code, text in enumerate(dict.fromkeys(texts))}
    if 2 * len(codes) > len(texts):
        into.texts.extend(texts)
    else:
        into.texts.extend(codes)
        into.codes.extend(map(codes.__getitem__, texts))


def _steps(key: str, first: int, steps: Sequence[Any], rows: list[int]) -> list[int]:
    """The steps of these rows. ValueError names the first that is none."""
    if not rows and set(map(type, steps)) == {int}:
        return list(steps)
    found = []
    for row in rows or range(len(steps)):
        try:
            found.append(step_number(steps[row]))
        except Unusable as error:
            raise ValueError(f"steps.{key} of row {first + row + 1}: {error}") from None
    return found


def _times(key: str, first: int, times: Sequence[Any], rows: list[int]) -> list[int]:
    """The times of these rows, Unix milliseconds. ValueError names the first that is none."""
    if (
        not rows
        and set(map(type, times)) == {int}
        and min(times) >= SECONDS_BELOW
        and max(times) <= limits.MAX_TIME_MILLIS
    ):
        return list(times)
    found = []
    for row in rows or range(len(times)):
        try:
            found.append(to_millis(times[row]))
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"times.{key} of row {first + row + 1}: {error}") from None
    return found
