"""A source of runs in memory, for tests of the writer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from fleetlog.importers.source import (
    Points,
    SourceDataset,
    SourceExperiment,
    SourceFile,
    SourceRun,
    Unread,
)

NOW = 1_700_000_000_000


@dataclass
class MemorySource:
    """Runs as they are given."""

    given: Sequence[SourceRun]
    kind: str = "memory"
    given_experiments: Sequence[SourceExperiment] = ()
    left_out: list[Unread] = field(default_factory=list)

    def experiments(self) -> Iterator[SourceExperiment]:
        """What was given."""
        return iter(self.given_experiments)

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """What was given."""
        return iter(self.given)

    def unread(self) -> Sequence[Unread]:
        """What was given as left out."""
        return self.left_out


def points(key: str, count: int, first: int = 0, seed: int = 0) -> Points:
    """Points with steps that go on from `first`, some of them twice, and odd values among them."""
    steps = np.arange(first, first + count, dtype=np.int64)
    values = np.sin(steps + seed)
    values[::7] = math.nan
    values[3::11] = -math.inf
    return Points(key, steps - steps % 2, values, NOW + steps * 10)


def run(name: str, experiment: str, pieces: Sequence[Points] = (), **said: Any) -> SourceRun:
    """A finished run with points."""
    made = SourceRun(
        id=f"{experiment}/{name}", experiment=experiment, name=name, start_time=NOW, end_time=NOW + 60_000,
        points=lambda: iter(pieces),
    )  # fmt: skip
    return replace(made, **said)


def file_of(path: Path, name: str) -> SourceFile:
    """A file of this machine."""
    return SourceFile(name, lambda: path.open("rb"), local=path)


def dataset(name: str) -> SourceDataset:
    """A dataset with a text that is too long for it."""
    return SourceDataset(name, "8f2c", "s3", "s3://bucket", "training", "s" * 70_000, "12 rows", {"team": "a"})
