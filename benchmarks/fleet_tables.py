"""The runs of fleet_runs as tables of columns, with other numbers of the same kinds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.fleet_runs import STEP

ROWS = 50_000
APART_MILLIS = 2
"""Between the starts of two runs; the last one starts now."""


def fleet_tables(count: int, rows: int = ROWS) -> Iterator[dict[str, Any]]:
    """`count` runs, in tables of at most `rows` rows."""
    rng = np.random.default_rng(7)
    began = time.time_ns() // 1_000_000 - count * APART_MILLIS
    for first in range(0, count, rows):
        places = range(first, min(first + rows, count))
        yield {
            "name": [f"run-{place}" for place in places],
            "start_time": [began + place * APART_MILLIS for place in places],
            **{f"params.param_{i}": rng.random(len(places)) for i in range(18)},
            "params.model": rng.choice(["gpt2", "llama", "mamba", "rwkv"], len(places)).tolist(),
            "params.batch": rng.choice([8, 16, 32], len(places)),
            **{f"tags.tag_{i}": [f"value {one}" for one in rng.integers(0, 20, len(places))] for i in range(5)},
            **{f"metrics.metric_{i}": rng.random(len(places)) for i in range(20)},
            **{f"steps.metric_{i}": np.full(len(places), STEP) for i in range(20)},
        }
