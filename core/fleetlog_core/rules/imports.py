"""Tables of runs that were made elsewhere: what is wrong with one, and its columns as arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from fleetlog_proto.v1 import event_pb2

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.limits import RunLimits
from fleetlog_core.rules.names import check_keys, check_run_name, check_text, check_user, fits
from fleetlog_core.rules.run_keys import TOO_MANY_METRICS, TOO_MANY_PARAMS, TOO_MANY_TAGS, too_many

I64 = npt.NDArray[np.int64]
PARAM_TYPES = {"texts": 2, "wholes": 3, "reals": 4, "truths": 5}
"""Fields of ImportedParams, and the fields of Param that they stand for."""


class Column(Protocol):
    """What the columns of a table have in common."""

    @property
    def key(self) -> str:
        """Key of the param, tag or metric."""
        ...

    @property
    def rows(self) -> Sequence[int]:
        """The runs that have a value; empty: all."""
        ...


def ids_of(runs: event_pb2.RunsImported) -> npt.NDArray[np.void]:
    """The ids, as V16."""
    return np.frombuffer(runs.run_ids, dtype="V16")


def rows_of(column: Column, count: int) -> I64:
    """Places of the runs that have a value of the column, among `count` runs."""
    return np.array(column.rows, dtype=np.int64) if column.rows else np.arange(count)


def type_of(column: event_pb2.ImportedParams) -> str:
    """Which of the fields of its values is used; "" when not exactly one is."""
    used = [name for name in ("wholes", "reals", "truths") if len(getattr(column, name))]
    if column.HasField("texts"):
        used.append("texts")
    return used[0] if len(used) == 1 else ""


def count_of(values: event_pb2.TextValues) -> int:
    """How many values they are."""
    return len(values.codes) or len(values.texts)


def check_import(runs: event_pb2.RunsImported, field: str, run_limits: RunLimits | None = None) -> None:
    """InvalidArgument names what is wrong below `field`; ResourceExhausted TOO_MANY_… when a run has too many keys."""
    count = _check_ids(runs, field)
    for name in ("names", "users"):
        texts: event_pb2.TextValues = getattr(runs, name)
        if count_of(texts):
            _check_texts(texts, count, f"{field}.{name}")
        check = check_run_name if name == "names" else check_user
        for place, text in enumerate(texts.texts):
            check(text, f"{field}.{name}.texts[{place}]")
    _check_lives(runs, count, field)
    most = run_limits or RunLimits()
    for place, param in enumerate(runs.params):
        _check_param(param, count, f"{field}.params[{place}]")
    for place, tag in enumerate(runs.tags):
        path = f"{field}.tags[{place}]"
        _check_values(tag.texts, _check_rows(tag, count, path), f"{path}.texts")
    for place, metric in enumerate(runs.metrics):
        path = f"{field}.metrics[{place}]"
        rows = _check_rows(metric, count, path)
        _check_length(len(metric.values), rows, f"{path}.values")
        if metric.steps:
            _check_length(len(metric.steps), rows, f"{path}.steps")
        if metric.times_millis:
            _check_length(len(metric.times_millis), rows, f"{path}.times_millis")
            _check_times(metric.times_millis, f"{path}.times_millis")
    # A param has a column for each type of its values.
    _check_keys(runs.params, count, f"{field}.params", TOO_MANY_PARAMS, most.params)
    _check_keys(runs.tags, count, f"{field}.tags", TOO_MANY_TAGS, most.tags)
    _check_keys(runs.metrics, count, f"{field}.metrics", TOO_MANY_METRICS, most.metrics)


def _check_ids(runs: event_pb2.RunsImported, field: str) -> int:
    count, rest = divmod(len(runs.run_ids), ID_BYTES)
    if rest:
        raise InvalidArgument.of_field(
            "INVALID_ID", f"{field}.run_ids", f"{len(runs.run_ids):,} bytes; send the {ID_BYTES} of each run's id"
        )
    if not 1 <= count <= limits.RUNS_PER_IMPORT:
        raise InvalidArgument.of_field(
            "OVER_LIMIT",
            f"{field}.run_ids",
            f"{count:,} runs, not 1 to {limits.RUNS_PER_IMPORT:,}; send several tables",
        )
    # As texts: a set of those needs no object that compares bytes by bytes.
    if len(set(ids_of(runs).tolist())) < count:
        raise InvalidArgument.of_field("ID_REPEATED", f"{field}.run_ids", "an id stands twice; send each run once")
    return count


def _check_lives(runs: event_pb2.RunsImported, count: int, field: str) -> None:
    """Start, end, state and parents."""
    for name, times in (("start_times_millis", runs.start_times_millis), ("end_times_millis", runs.end_times_millis)):
        if name == "end_times_millis" and not times:
            continue
        _check_length(len(times), count, f"{field}.{name}")
        _check_times(times, f"{field}.{name}")
    _check_length(len(runs.states), count, f"{field}.states")
    known = set(event_pb2.RunState.values()) - {event_pb2.RUN_STATE_UNSPECIFIED}
    if unknown := set(runs.states) - known:
        raise InvalidArgument.of_field(
            "STATE_INVALID", f"{field}.states", f"{unknown.pop()} is no state; send RUNNING, FINISHED, FAILED or KILLED"
        )
    if runs.end_times_millis:
        ended = np.array(runs.end_times_millis, dtype=np.int64) != 0
        if (ended & (np.array(runs.states) == event_pb2.RUN_STATE_RUNNING)).any():
            raise InvalidArgument.of_field(
                "STATE_INVALID", f"{field}.states", "a run with an end is RUNNING; send how it ended, or no end"
            )
    if len(runs.parent_run_ids) not in (0, ID_BYTES * count):
        raise InvalidArgument.of_field(
            "INVALID_ID",
            f"{field}.parent_run_ids",
            f"{len(runs.parent_run_ids):,} bytes for {count:,} runs; send {ID_BYTES} for each, zeros for none",
        )


def _check_times(times: Sequence[int], path: str) -> None:
    for time in (min(times), max(times)):
        if not limits.MIN_TIME_MILLIS <= time <= limits.MAX_TIME_MILLIS:
            raise InvalidArgument.of_field(
                "TIME_OUT_OF_RANGE",
                path,
                f"{time} is not {limits.MIN_TIME_MILLIS} … {limits.MAX_TIME_MILLIS} (1970 to 2255); send Unix"
                " milliseconds",
            )


def _check_param(param: event_pb2.ImportedParams, count: int, path: str) -> None:
    rows = _check_rows(param, count, path)
    kind = type_of(param)
    if not kind:
        raise InvalidArgument.of_field(
            "PARAM_WITHOUT_VALUE",
            path,
            f"{shown(param.key)} has values of no type or of several; send a column for each",
        )
    if kind == "texts":
        _check_values(param.texts, rows, f"{path}.texts")
    else:
        _check_length(len(getattr(param, kind)), rows, f"{path}.{kind}")


def _check_rows(column: Column, count: int, path: str) -> int:
    """How many values it has to have."""
    if not column.rows:
        return count
    rows = rows_of(column, count)
    if (rows[1:] <= rows[:-1]).any() or rows[-1] >= count:
        raise InvalidArgument.of_field(
            "ROWS_INVALID", f"{path}.rows", f"the places are not rising below {count:,}; send each run's place once"
        )
    return len(rows)


def _check_values(values: event_pb2.TextValues, rows: int, path: str) -> None:
    _check_texts(values, rows, path)
    for place, text in enumerate(values.texts):
        if not fits(text):
            check_text(text, f"{path}.texts[{place}]")


def _check_texts(values: event_pb2.TextValues, rows: int, path: str) -> None:
    _check_length(count_of(values), rows, path)
    if values.codes and max(values.codes) >= len(values.texts):
        raise InvalidArgument.of_field(
            "CODE_INVALID", f"{path}.codes", f"{max(values.codes)} of {len(values.texts):,} texts; count from 0"
        )


def _check_length(found: int, rows: int, path: str) -> None:
    if found != rows:
        raise InvalidArgument.of_field("COLUMN_LENGTH", path, f"{found:,} values for {rows:,} runs; send as many")


def _check_keys(columns: Sequence[Column], count: int, path: str, reason: str, limit: int) -> None:
    """That they are keys, that no run has one twice, and none too many."""
    keys = [column.key for column in columns]
    check_keys(keys, lambda place: f"{path}[{place}].key")
    if len(set(keys)) < len(keys):
        taken: dict[str, Any] = {}
        for place, column in enumerate(columns):
            rows = rows_of(column, count)
            if column.key in taken and np.intersect1d(taken[column.key], rows).size:
                raise InvalidArgument.of_field(
                    "KEY_REPEATED", f"{path}[{place}].key", f"a run has {shown(column.key)} twice; send it once"
                )
            taken[column.key] = np.union1d(taken.get(column.key, rows[:0]), rows)
    if len(keys) > limit:
        _check_count(columns, keys, count, path, reason, limit)


def _check_count(
    columns: Sequence[Column], keys: Collection[str], count: int, path: str, reason: str, limit: int
) -> None:
    held = np.zeros(count, dtype=np.int64)
    for column in columns:
        held[rows_of(column, count)] += 1
    if held.max() > limit:
        raise too_many(reason, path, list(keys)[limit:], limit)
