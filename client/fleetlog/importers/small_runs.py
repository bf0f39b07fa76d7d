"""Runs with one point a metric as tables, thousands a second; see `import_runs`. Pure, but for the sending."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fleetlog_core.errors import shown
from fleetlog_core.limits import MAX_TIME_MILLIS
from fleetlog_core.times import SECONDS_BELOW
from fleetlog_proto.v1 import event_pb2

from fleetlog._imports.importing import LeftOutValue, messages
from fleetlog._imports.run_tables import RunTable
from fleetlog.importers.key_check import KeyCheck
from fleetlog.importers.run_facts import PreparedRun, state_of
from fleetlog.importers.source import Points, Unread

MOST_POINTS = 1_000
"""Maximum of points of a run that is a row of a table."""


@dataclass(frozen=True, slots=True)
class SmallRun:
    """A run with at most one point a metric, and these points."""

    run: PreparedRun
    points: Sequence[Points]


def small_run(run: PreparedRun, pieces: Iterator[Points], keys: KeyCheck) -> tuple[SmallRun | None, Iterator[Points]]:
    """The run when it can be a row of a table; or None, and then all of its pieces.

    A row has no datasets, is not deleted, all of its keys can be keys, and no time of it could be taken for seconds.
    """
    source = run.source
    if source.datasets or source.input_models or source.output_models or source.deleted or source.fork is not None:
        return None, pieces
    if run.start_millis < SECONDS_BELOW or 0 < run.end_millis < SECONDS_BELOW:
        return None, pieces
    if any(keys.problem(key) for key in itertools.chain(run.source.params, run.tags)):
        return None, pieces
    seen: list[Points] = []
    found: set[str] = set()
    for piece in pieces:
        seen.append(piece)
        is_one = len(piece.steps) == 1 and piece.key not in found and SECONDS_BELOW <= piece.times[0] <= MAX_TIME_MILLIS
        if not is_one or len(seen) > MOST_POINTS or keys.problem(piece.key):
            return None, itertools.chain(seen, pieces)
        found.add(piece.key)
    return SmallRun(run, seen), iter(())


def table_messages(
    runs: Sequence[SmallRun], experiment_id: int, left_out: list[Unread]
) -> Iterator[event_pb2.RunsImported]:
    """Tables of runs of one experiment. Values that no run can have go to `left_out`."""
    out: list[LeftOutValue] = []
    for _, message in messages(RunTable(_columns(runs)), experiment_id, out):
        yield message
    left_out += [
        Unread(f"run {runs[one.row - 1].run.source.id}, {shown(one.column)}", f"it is left out: {one.why}")
        for one in out
    ]


def table_writer(kind: str) -> bytes:
    """Returns the writer of all tables of runs of a kind of source: a run that two imports hold is there once."""
    return hashlib.blake2b(f"fleetlog import {kind}".encode(), digest_size=16).digest()


def _columns(runs: Sequence[SmallRun]) -> dict[str, Sequence[Any]]:
    kinds = ("params", "tags", "metrics", "steps", "times")
    params, tags, values, steps, times = found = [_Cells(len(runs)) for _ in kinds]
    for row, one in enumerate(runs):
        for key, value in one.run.source.params.items():
            params[key][row] = value
        for key, text in one.run.tags.items():
            tags[key][row] = text
        for points in one.points:
            values[points.key][row] = points.values.item()
            steps[points.key][row] = points.steps.item()
            times[points.key][row] = points.times.item()
    return {
        **{
            f"{kind}.{key}": cells for kind, columns in zip(kinds, found, strict=True) for key, cells in columns.items()
        },
        "run_id": [one.run.run_id.hex() for one in runs],
        "name": [one.run.name for one in runs],
        "user": [one.run.user for one in runs],
        "state": [state_of(one.run) for one in runs],
        "start_time": [one.run.start_millis for one in runs],
        "end_time": [one.run.end_millis or None for one in runs],
        "parent_run_id": [one.run.parent_id.hex() or None for one in runs],
    }


class _Cells(dict[str, list[Any]]):
    """Columns by key, each with as many cells as there are runs."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._rows = rows

    def __missing__(self, key: str) -> list[Any]:
        found = self[key] = [None] * self._rows
        return found
