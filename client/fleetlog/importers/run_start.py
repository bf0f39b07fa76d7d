"""The start of a run whose source may not know it: the same each time, for ids are made of it."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.ids import milliseconds_of

from fleetlog._imports.source_ids import own_id
from fleetlog.importers.source import SourceRun


def start_of(run: SourceRun) -> int:
    """Returns Unix milliseconds: the start, or what the id says, or the first point's time, or the end."""
    found = _known(run)
    return min(max(found, limits.MIN_TIME_MILLIS), limits.MAX_TIME_MILLIS)


def _known(run: SourceRun) -> int:
    if run.start_time is not None:
        return run.start_time
    if (known := own_id(run.id)) is not None:
        return milliseconds_of(known)
    first = next((piece for piece in run.points() if len(piece.times)), None)
    if first is not None:
        return int(first.times.min())
    return run.end_time or 0
