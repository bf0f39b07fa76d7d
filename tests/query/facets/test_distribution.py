"""Descriptions of keys, against counts of the same runs in Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_query.language.plan import plan_of

from tests.query.random_runs import log_fleet
from tests.query.reference.evaluate import Row, matches

EXPERIMENT = "distributions"


@pytest.fixture(scope="module")
def fleet(embedded_target: str) -> dict[str, Row]:
    return log_fleet(embedded_target, EXPERIMENT)


def values_of(rows: Sequence[Row], kind: str, key: str) -> list[tuple[float, object]]:
    """Number, or NaN, and what tells the value from others, for each run that has it."""
    found: list[tuple[float, object]] = []
    for row in rows:
        if kind == "params" and key in row.params:
            number, text, _ = row.params[key]
            found.append((number, text))
        elif kind == "tags" and key in row.tags:
            text = row.tags[key]
            found.append(({"3": 3.0, "1e-4": 1e-4}.get(text, math.nan), text))
        elif kind == "metrics" and key in row.metrics:
            value = row.metrics[key]
            found.append((value, "nan" if math.isnan(value) else value))
    return found


def check(found: fleetlog.KeyDescription, values: Sequence[tuple[float, object]]) -> None:
    """That the description is the one of these values."""
    numbers = [number for number, _ in values if not math.isnan(number)]
    finite = [number for number in numbers if math.isfinite(number)]
    assert (found.runs, found.numeric_runs) == (len(values), len(numbers))
    assert found.distinct_values == len({other for _, other in values})
    assert (found.min, found.max) == (min(finite, default=None), max(finite, default=None))
    for left, right in itertools.pairwise(found.bins):
        assert left.high == right.low
    for place, one in enumerate(found.bins):
        last = place == len(found.bins) - 1
        inside = [number for number in numbers if one.low <= number < one.high or (last and number == one.high)]
        assert one.runs == len(inside), one
    assert found.outside_runs + sum(one.runs for one in found.bins) == len(numbers)


@pytest.mark.parametrize("text", ["", "metrics.x > 0", "name = 'nobody'"])
@pytest.mark.parametrize("key", ["x", "a b", "tick`ed", "é", "none"])
@pytest.mark.parametrize("kind", ["params", "tags", "metrics"])
def test_a_key_is_described_as_its_values_are(
    embedded_target: str, fleet: dict[str, Row], kind: str, key: str, text: str
) -> None:
    plan, client = plan_of(text), fleetlog.Client(embedded_target)
    values = values_of([row for row in fleet.values() if matches(plan, row)], kind, key)
    name = f"{kind}.`{key.replace('`', '``')}`"
    asked: list[tuple[int, Literal["linear", "log"] | None, tuple[float | None, float | None]]] = [
        (20, None, (None, None)), (1, "linear", (None, None)), (7, "log", (None, None)), (100, None, (0.5, 5.0)),
        (3, "linear", (3.0, 3.0)), (4, "log", (1e-6, None)),
    ]  # fmt: skip
    for bins, scale, (low, high) in asked:
        found = client.describe_key(name, text, experiments=EXPERIMENT, bins=bins, scale=scale, min=low, max=high)
        check(found, values)
        if found.bins and low is not None:
            assert found.bins[0].low == low
        if found.bins and high is not None:
            assert found.bins[-1].high == high


def test_a_bin_is_what_a_filter_of_its_ends_finds(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    rates = [10 ** (-place / 7) for place in range(40)]
    client.import_runs({"params.lr": rates, "metrics.loss": [rate * 3 for rate in rates]}, experiment)
    for key in ("params.lr", "metrics.loss"):
        described = client.describe_key(key, experiments=experiment, bins=9)
        assert described.differs
        assert sum(one.runs for one in described.bins) == 40
        for one in described.bins[:-1]:
            text = f"{key} >= {one.low!r} AND {key} < {one.high!r}"
            assert client.search_runs(text, experiments=experiment, total="exact").total == one.runs
        last = described.bins[-1]
        text = f"{key} BETWEEN {last.low!r} AND {last.high!r}"
        assert client.search_runs(text, experiments=experiment, total="exact").total == last.runs


def test_it_is_as_of_a_moment_and_of_the_runs_that_are_shown(embedded_target: str, experiment: str) -> None:
    client = fleetlog.Client(embedded_target)
    ids = client.import_runs({"metrics.loss": [1.0, 2.0, 3.0], "tags.t": ["a", "a", "b"]}, experiment).run_ids
    before = fleetlog.Position.of(connection_to(embedded_target).position())
    client.update_runs(ids[1:], deleted=True)
    client.update_runs(ids, tags={"t": "c"})
    now = client.describe_key("metrics.loss", experiments=experiment)
    assert (now.runs, now.min, now.max, [one.runs for one in now.bins]) == (1, 1.0, 1.0, [1])
    assert client.describe_key("metrics.loss", experiments=experiment, deleted="all").runs == 3
    assert client.describe_key("tags.t", experiments=experiment, deleted="all").distinct_values == 1
    then = client.describe_key("metrics.loss", experiments=experiment, as_of=before)
    assert (then.runs, then.distinct_values, then.max) == (3, 3, 3.0)
    assert client.describe_key("tags.t", experiments=experiment, as_of=before).distinct_values == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"key": "user"}, "a param, a tag or a metric"),
        ({"key": "params."}, "key: it is empty"),
        ({"key": "params.x", "min": math.nan}, "min: nan is no end"),
        ({"key": "params.x", "min": 2, "max": 1}, "max: 1.0 is below min"),
        ({"key": "params.x", "min": 0, "scale": "log"}, "HISTOGRAM_SCALE_LINEAR"),
        ({"key": "params.x", "filter": "metrics.x >"}, "column"),
        ({"key": "params.x", "bins": 0}, "bins: 0"),
        ({"key": "params.x", "scale": "logg"}, "did you mean 'log'"),
    ],
)
def test_what_is_asked_wrongly_is_told(embedded_target: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(fleetlog.InvalidArgument, match=said):
        fleetlog.Client(embedded_target).describe_key(experiments="Default", **arguments)
