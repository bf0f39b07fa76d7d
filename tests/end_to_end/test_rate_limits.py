"""Limits of a server, as those who train and those who read meet them: slowed, told, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator

import fleetlog
import numpy as np
import pytest
from fleetlog_core.rates.limits import Limits, ServerLimits
from fleetlog_core.serving import rate_limits
from fleetlog_deploy.node import Node

from tests.core.serving.numbers import numbers

CHUNK = 5_000


@pytest.fixture
def limited(embedded: tuple[Node, str]) -> Iterator[tuple[Node, str]]:
    """A server that has no limits again after the test."""
    yield embedded
    embedded[0].limiter.change(ServerLimits())


def times(node: Node, reason: str) -> float:
    """Times that a limit held."""
    return numbers(node.telemetry.text()).get(("fleetlog_limited_total", reason), 0.0)


@pytest.mark.parametrize("most_wait_seconds", [rate_limits.MOST_WAIT_SECONDS, 0.0], ids=["slowed", "told to come back"])
def test_a_training_over_its_rate_loses_nothing(
    limited: tuple[Node, str], experiment: str, monkeypatch: pytest.MonkeyPatch, most_wait_seconds: float
) -> None:
    node, target = limited
    monkeypatch.setattr(rate_limits, "MOST_WAIT_SECONDS", most_wait_seconds)
    before = times(node, "POINT_RATE")
    node.limiter.change(ServerLimits(Limits(points_per_second=50_000), burst_seconds=0.02))
    with fleetlog.start_run(experiment, target=target) as run:
        for chunk in range(4):
            steps = np.arange(chunk * CHUNK, (chunk + 1) * CHUNK)
            run.log_series("x", steps=steps, values=steps / 7)
            run.flush(timeout=120)
        run.flush(timeout=120, level="applied")
    view = fleetlog.Client(target).get_run(run.id)
    assert view.metric("x").steps.tolist() == list(range(4 * CHUNK))
    assert view.problems == []
    assert times(node, "POINT_RATE") > before


def test_who_reads_too_much_is_told_when_to_come_back(limited: tuple[Node, str], experiment: str) -> None:
    node, target = limited
    with fleetlog.start_run(experiment, target=target) as run:
        run.log({"x": 1.0})
        run.flush(level="applied")
        node.limiter.change(ServerLimits(Limits(rows_per_second=0.01), burst_seconds=0.1))
        client = fleetlog.Client(target)
        client.search_runs("metrics.x > 0", experiments=[experiment])
        with pytest.raises(fleetlog.ResourceExhausted) as refused:
            client.search_runs("metrics.x > 0", experiments=[experiment])
        assert refused.value.reason == "ROW_RATE"
        assert (refused.value.retry_after_seconds or 0.0) > 0
        # What trains goes on.
        run.log({"x": 2.0})
        run.flush(timeout=120)
    node.limiter.change(ServerLimits())
    assert client.get_run(run.id).metrics == {"x": 2.0}
