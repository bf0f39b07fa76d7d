"""What the runs of a fleet hold: 20 params, 20 metrics and 5 tags, the same ones each time. Needs no package."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

STEP = 100
"""The step of every metric."""


@dataclass(frozen=True)
class FleetRun:
    """One run, before it is logged."""

    name: str
    params: dict[str, float | int | str]
    tags: dict[str, str]
    metrics: dict[str, float]


def fleet_runs(count: int) -> Iterator[FleetRun]:
    """`count` runs, in the order in which they are logged."""
    rng = random.Random(7)
    for place in range(count):
        params: dict[str, float | int | str] = {f"param_{i}": rng.random() for i in range(18)}
        params |= {"model": rng.choice(["gpt2", "llama", "mamba", "rwkv"]), "batch": rng.choice([8, 16, 32])}
        tags = {f"tag_{i}": f"value {rng.randrange(20)}" for i in range(5)}
        yield FleetRun(f"run-{place}", params, tags, {f"metric_{i}": rng.random() for i in range(20)})
