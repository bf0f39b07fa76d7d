"""Both sides of an import compared: every run of the source, and of it every point, param, tag and file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from fleetlog_core.errors import shown

from fleetlog._imports.source_ids import run_id_of
from fleetlog._views.views import RunView
from fleetlog.client import Client
from fleetlog.errors import NotFound
from fleetlog.importers.digests import SeriesDigest
from fleetlog.importers.key_check import KeyCheck
from fleetlog.importers.points_batches import in_range
from fleetlog.importers.report import KEPT
from fleetlog.importers.run_start import start_of
from fleetlog.importers.source import Fork, Points, Source, SourceRun, Unread

_BLOCK_BYTES = 1 << 20


@dataclass(slots=True)
class Verification:
    """What was compared, and what differs."""

    runs: int = 0
    series: int = 0
    points: int = 0
    files: int = 0
    differences: list[Unread] = field(default_factory=list)
    more_differences: int = 0

    @property
    def is_same(self) -> bool:
        """True if nothing differs."""
        return not self.differences

    def differs(self, where: str, why: str, count: int = 1) -> None:
        """Take note of a difference."""
        if len(self.differences) < KEPT:
            self.differences.append(Unread(where, why, count=count))
        else:
            self.more_differences += 1


def verify(
    client: Client, source: Source, since: int | None = None, on_progress: Callable[[Verification], None] | None = None
) -> Verification:
    """Returns what a source and the server have in common, and what not. FleetlogError, SourceError."""
    found, keys = Verification(), KeyCheck()
    for run in source.runs(since):
        found.runs += 1
        try:
            here = client.get_run(run_id_of(run.id, start_of(run)).hex())
        except NotFound:
            found.differs(f"run {run.id}", "it is not here")
            continue
        _compare_inputs(found, run, here)
        _compare_points(found, run, here, keys)
        _compare_files(found, run, here, client)
        if on_progress is not None:
            on_progress(found)
    return found


def _compare_inputs(found: Verification, run: SourceRun, here: RunView) -> None:
    for kind, wanted, there in (("param", run.params, here.params), ("tag", run.tags, here.tags)):
        for key, value in wanted.items():
            if key == "mlflow.parentRunId" and here.parent_id:
                # It names the parent as it is called here.
                continue
            if key not in there:
                found.differs(f"run {run.id}, {kind} {shown(key)}", "it is not here")
            elif there[key] != value and not (value != value and there[key] != there[key]):
                found.differs(f"run {run.id}, {kind} {shown(key)}", f"it is {shown(str(there[key]))} here")


def _compare_points(found: Verification, run: SourceRun, here: RunView, keys: KeyCheck) -> None:
    wanted: dict[str, SeriesDigest] = {}
    for piece in run.points():
        wanted.setdefault(piece.key, SeriesDigest()).add(_own(in_range(piece)[0], run.fork))
    for key, digest in wanted.items():
        found.series += 1
        found.points += digest.count
        where = f"run {run.id}, metric {shown(key)}"
        if keys.problem(key) or key not in here.metrics:
            found.differs(where, "none of its points are here", digest.count)
            continue
        theirs = SeriesDigest()
        for points in _points_of(here, key):
            theirs.add(_own(points, run.fork))
        if theirs.count != digest.count:
            found.differs(where, f"{theirs.count:,} points are here, {digest.count:,} at the source")
        elif theirs.points != digest.points:
            found.differs(where, "steps or values differ")
        elif theirs.times != digest.times:
            found.differs(where, "times differ")


def _own(points: Points, fork: Fork | None) -> Points:
    """Points behind the step up to which a fork has its origin's: those are compared where they are from."""
    if fork is None:
        return points
    own = points.steps > fork.step
    return Points(points.key, points.steps[own], points.values[own], points.times[own])


def _points_of(here: RunView, key: str) -> Iterator[Points]:
    series = here.metric(key)
    yield Points(key, np.asarray(series.steps), np.asarray(series.values), np.asarray(series.times))


def _compare_files(found: Verification, run: SourceRun, here: RunView, client: Client) -> None:
    there: dict[str, tuple[int, str]] | None = None
    for file in run.files():
        if there is None:
            there = {one.path: (one.size_bytes, one.sha256) for one in client.list_artifacts(here.id)}
        found.files += 1
        where = f"run {run.id}, file {file.path}"
        digest, size = hashlib.sha256(), 0
        try:
            with file.open() as content:
                while block := content.read(_BLOCK_BYTES):
                    digest.update(block)
                    size += len(block)
        except OSError as error:
            found.differs(where, f"it can't be read: {error.strerror or error}")
            continue
        if file.path not in there:
            found.differs(where, "it is not here")
        elif there[file.path] != (size, digest.hexdigest()):
            found.differs(where, "it is another one here")
