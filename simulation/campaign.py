"""Many worlds, in as many processes as are wanted, until one fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context

from simulation.plan import plan_of
from simulation.planted import bug, planted
from simulation.world import run_world

CHUNK = 4


@dataclass(frozen=True, slots=True)
class Brief:
    """A world in a line."""

    seed: int
    failure: str
    digest: str
    checks: int
    events: int
    seconds: float


@dataclass(slots=True)
class Tally:
    """What came of many."""

    worlds: int = 0
    checks: int = 0
    events: int = 0
    world_seconds: float = 0.0
    seconds: float = 0.0
    failed: Brief | None = None

    def words(self) -> str:
        """All of it in a line."""
        rate = self.worlds / self.seconds if self.seconds else 0.0
        return (
            f"{self.worlds:,} worlds in {self.seconds:.1f} s ({rate:.1f} a second, {rate * 3600:,.0f} an hour):"
            f" {self.world_seconds / 3600:.1f} hours of their time, {self.events:,} events, {self.checks:,} checks"
        )


def run_one(asked: tuple[int, str]) -> Brief:
    """The world of a number, with the bug of a name or none."""
    seed, name = asked
    with planted(bug(name) if name else None):
        found = run_world(plan_of(seed))
    return Brief(seed, found.failure, found.digest, found.checks, found.events, found.seconds)


def run_many(first: int, count: int, jobs: int, planted_bug: str = "") -> Tally:
    """Run the worlds of so many numbers; the first that fails, by its number's place among those done, ends it."""
    tally, began = Tally(), time.perf_counter()
    for brief in _briefs([(seed, planted_bug) for seed in range(first, first + count)], jobs):
        tally.worlds += 1
        tally.checks += brief.checks
        tally.events += brief.events
        tally.world_seconds += brief.seconds
        if brief.failure:
            tally.failed = brief
            break
    tally.seconds = time.perf_counter() - began
    return tally


def _briefs(asked: list[tuple[int, str]], jobs: int) -> Iterator[Brief]:
    if jobs <= 1:
        yield from map(run_one, asked)
        return
    with get_context("fork").Pool(jobs) as pool:
        # In order: which world is told to have failed is the same for any number of processes.
        yield from pool.imap(run_one, asked, CHUNK)
