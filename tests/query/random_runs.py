"""Random runs, logged through a real server, and the same as rows of the evaluator."""

from __future__ import annotations

import math
import random
import uuid
from dataclasses import replace
from typing import Literal

import fleetlog
from fleetlog_query.language.fields import STATES

from tests.query.reference.evaluate import Point, Row

START = 1_700_000_000_000
TEXTS = [
    "", "a", "A", "ab", "it's", 'q"uote', "back\\slash", "\\", "100%", "under_score", "é☃", "tab\there", "line\nend",
    "3", "1e-4", "nan", "ΑΣ", "straße", "😀", "a+b(c)", "\N{KELVIN SIGN}", "ſ", "İ", "True", "true",
]  # fmt: skip
NAMES = [text for text in TEXTS if text and text.isprintable()]
NUMBERS = [0.0, -0.0, 1.0, -1.5, 1e-4, 3.0, 1e300, math.inf, -math.inf, math.nan]
EXACT = [0.0, -0.0, 1.0, -1.5, 0.25, 3.0, 1024.0, math.inf, -math.inf, math.nan]
"""Values of points: sums of them are the same in any order."""
WHOLES = [1 << 53, (1 << 53) + 1, -(1 << 53) - 1, (1 << 60) + 1, (1 << 60) + 2, (1 << 63) - 1, -(1 << 63)]
"""Beyond what doubles tell apart."""
KEYS = ["x", "y", "a b", "tick`ed", "é"]
STEPS = [-3, -1, 0, 1, 2, 3, 127, 128, 129, 255, 256, 300, 1_000, (1 << 53) + 1]
RUNS = 60
FLEET = "fleet"
"""Experiment of the fleet that tests share."""


def run_start(place: int) -> int:
    """Three runs start together: ties."""
    return START + place // 3


class Fleet(dict[str, Row]):
    """The rows by run id."""

    def __repr__(self) -> str:
        # Shown with every example that fails: all the rows (1.8 MB) would hide what is wrong with it.
        return f"<Fleet of {len(self)} runs>"


def log_fleet(target: str, experiment: str) -> Fleet:
    """The fleet, once all of it is visible."""
    rng = random.Random(5)
    number = float(fleetlog.Client(target).create_experiment(experiment, exist_ok=True).id)
    rows = Fleet()
    for place in range(RUNS):
        run_id, row = _log_run(rng, place, target, experiment, rows)
        rows[run_id] = replace(row, attributes={**row.attributes, "experiment_id": number})
    fleetlog.flush(level="applied", target=target)
    return rows


def _log_run(rng: random.Random, place: int, target: str, experiment: str, rows: dict[str, Row]) -> tuple[str, Row]:
    params: dict[str, object] = {}
    for key in KEYS:
        whole = rng.choice([rng.randrange(5), rng.choice(WHOLES)])
        kinds: list[object] = [rng.choice(TEXTS), rng.choice([*NUMBERS, 2.0**53]), whole, rng.random() < 0.5]
        params |= rng.choice([{}, {key: rng.choice(kinds)}])
    tags = {key: rng.choice(TEXTS) for key in KEYS if rng.random() < 0.6}
    parent = rng.choice([None, *rows]) if rows and place % 4 == 0 else None
    start, name, user = run_start(place), rng.choice(NAMES), rng.choice(["ada", "Bob"])
    run = fleetlog.start_run(
        experiment, name, params=params, tags=tags, user=user, start_time=start, parent=parent, target=target
    )
    datasets = _datasets(rng)
    for one in datasets:
        run.log_input(one["name"], one["context"], digest=one["digest"])
    points = {key: _points(rng) for key in KEYS if rng.random() < 0.7}
    # With an id the writer does not ask for the run's last step, which would wait until all before it is visible.
    second = fleetlog.start_run(experiment, run_id=run.id, rank=1, target=target, writer_id=uuid.uuid4())
    for key, series in points.items():
        for writer, rank in ((run, -1), (second, 1)):
            mine = [point for point in series if point.rank == rank]
            writer.log_series(
                key, steps=[one.step for one in mine], values=[one.value for one in mine],
                times=[one.time for one in mine],
            )  # fmt: skip
    state: Literal["FINISHED", "FAILED", "KILLED", "RUNNING"] = rng.choice(["FINISHED", "FAILED", "KILLED", "RUNNING"])
    end = start + rng.randrange(5) * 3_600_000
    if state != "RUNNING":
        run.finish(state, end_time=end, wait=False)
    attributes: dict[str, float | str | None] = {
        "run_id": run.id, "name": name, "user": user, "state": float(STATES[state]), "start_time": float(start),
        "end_time": None if state == "RUNNING" else float(end), "parent_run_id": parent,
    }  # fmt: skip
    latest = {key: max(series, key=order).value for key, series in points.items()}
    return run.id, Row(attributes, {key: typed(value) for key, value in params.items()}, tags, latest, points, datasets)


def _datasets(rng: random.Random) -> list[dict[str, str]]:
    """Distinct ones; digest and context may be empty."""
    one_line = [text for text in TEXTS if text == "" or text.isprintable()]
    drawn = {
        (rng.choice([name for name in NAMES if name.strip()]), rng.choice(one_line), rng.choice(one_line))
        for _ in range(rng.choice([0, 0, 1, 2, 4]))
    }
    return [dict(zip(("name", "digest", "context"), parts, strict=True)) for parts in sorted(drawn)]


def _points(rng: random.Random) -> list[Point]:
    steps: list[int] = [rng.choice(STEPS) for _ in range(rng.randrange(1, 8))]
    if rng.random() < 0.3:
        steps += range(rng.randrange(300), 600)
    return [Point(step, START + rng.randrange(4) * 1_000, rng.choice(EXACT), rng.choice([-1, 1])) for step in steps]


def order(point: Point) -> tuple[int, int, bool, float, float]:
    """What the last of points is by, said anew here: step, time, value; NaN lowest, -0.0 below 0.0."""
    if math.isnan(point.value):
        return point.step, point.time, False, 0.0, 0.0
    return point.step, point.time, True, point.value, math.copysign(1.0, point.value)


def typed(value: object) -> tuple[float, str, int]:
    """A param as `attrs` holds it."""
    if isinstance(value, float):
        return value, repr(value), 4
    if isinstance(value, bool):
        return math.nan, str(value).lower(), 5
    if isinstance(value, int):
        return float(value), str(value), 3
    text = str(value)
    return {"3": (3.0, text, 2), "1e-4": (1e-4, text, 2)}.get(text, (math.nan, text, 2))
