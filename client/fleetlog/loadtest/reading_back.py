"""Everything that workers were told is durable, read again and compared with what they logged."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from fleetlog_core.limits import KEYS_PER_READ, RUNS_PER_READ

from fleetlog.client import Client
from fleetlog.errors import FleetlogError
from fleetlog.loadtest.ledger import Ledger, compare_files, compare_series
from fleetlog.loadtest.points import columns_of, keys_of
from fleetlog.loadtest.profile import Profile
from fleetlog.loadtest.report import Report
from fleetlog.loadtest.schedule import Place

POINTS_AT_ONCE = 1_000_000
"""Points of one read, about: 24 MB."""
Written = tuple[str, Place, Ledger]
"""A worker that is over: its run, its place, and what it was told."""


def read_back(
    client: Client, profile: Profile, written: Sequence[Written], report: Report, tell: Callable[[int], None]
) -> None:
    """Compare all of it. `tell` is told of every point that was compared. A read that fails is counted."""
    for some in _chunks(profile, written):
        try:
            _compare_points(client, profile, some, report)
            _compare_files(client, some, report)
        except FleetlogError as error:
            report.unread_runs += len(some)
            report.problem(f"{error.reason}: {error.message}")
        tell(report.findings.compared)


def _chunks(profile: Profile, written: Sequence[Written]) -> Iterator[Mapping[str, Sequence[tuple[Place, Ledger]]]]:
    """Workers by their runs, as many as one read may have."""
    runs: defaultdict[str, list[tuple[Place, Ledger]]] = defaultdict(list)
    points = 0
    for run_id, place, ledger in sorted(written, key=lambda one: one[1].run):
        more = ledger.sent * min(profile.metrics, KEYS_PER_READ)
        if runs and run_id not in runs and (len(runs) == RUNS_PER_READ or points + more > POINTS_AT_ONCE):
            yield dict(runs)
            runs.clear()
            points = 0
        runs[run_id].append((place, ledger))
        points += more
    if runs:
        yield dict(runs)


def _compare_points(
    client: Client, profile: Profile, runs: Mapping[str, Sequence[tuple[Place, Ledger]]], report: Report
) -> None:
    expected = {
        (run_id, place.rank): columns_of(place.number, range(ledger.sent), profile.metrics)
        for run_id, workers in runs.items()
        for place, ledger in workers
    }
    keys = keys_of(profile)
    for first in range(0, len(keys), KEYS_PER_READ):
        some = keys[first : first + KEYS_PER_READ]
        found = {
            (one.run_id, one.key, one.rank if profile.ranks > 1 else None): one
            for one in client.read_series(list(runs), some, per_rank=profile.ranks > 1)
        }
        for run_id, workers in runs.items():
            for place, ledger in workers:
                for number, key in enumerate(some, first):
                    series = found.get((run_id, key, place.rank))
                    steps, values = (array("q"), array("d")) if series is None else (series.steps, series.values)
                    column = expected[run_id, place.rank][number]
                    where = f"run {run_id} worker {place.number} {key}"
                    report.findings.add(compare_series(ledger, column, steps.tolist(), values.tolist(), where))


def _compare_files(client: Client, runs: Mapping[str, Sequence[tuple[Place, Ledger]]], report: Report) -> None:
    for run_id, workers in runs.items():
        if not any(ledger.files for _, ledger in workers):
            continue
        there = {file.path: bytes.fromhex(file.sha256) for file in client.list_artifacts(run_id)}
        for place, ledger in workers:
            report.findings.add(compare_files(ledger, there, f"run {run_id} worker {place.number}"))
