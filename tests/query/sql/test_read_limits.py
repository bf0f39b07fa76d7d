"""Windows read points of the runs that are left, and never more than they may."""

from __future__ import annotations

import fleetlog
import pytest
from fleetlog_core import limits
from fleetlog_query.language.plan import plan_of
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition
from fleetlog_query.sql.scope import Scope

POINTS = 200_000


@pytest.fixture(scope="module")
def long_run(embedded_target: str) -> str:
    run = fleetlog.start_run("bound", tags={"size": "long"}, target=embedded_target)
    run.log_series("x", steps=range(POINTS), values=[float(step % 1_000) for step in range(POINTS)])
    run.finish()
    short = fleetlog.start_run("bound", tags={"size": "short"}, target=embedded_target)
    short.log({"x": 5.0}, step=0)
    short.finish()
    fleetlog.flush(level="applied", target=embedded_target)
    return run.id


def found(target: str, text: str) -> set[str]:
    return {run.id for run in fleetlog.Client(target).search_runs(text, experiments=["bound"])}


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("min(metrics.x WHERE step BETWEEN 300 AND 900) = 300", True),
        ("max(metrics.x WHERE step BETWEEN 300 AND 900) = 900", True),
        ("mean(metrics.x WHERE step BETWEEN 1000 AND 1999) = 499.5", True),
        ("count(metrics.x WHERE step BETWEEN 129 AND 1500) = 1372", True),
        ("count(metrics.x WHERE step >= 100) = 199900", True),
        ("count(metrics.x WHERE step < -1) = 0", True),
        ("max(metrics.x WHERE step < -1) IS NOT NULL", False),
        ("first(metrics.x WHERE step > 1500) = 501 AND last(metrics.x WHERE step < 700) = 699", True),
        ("at(metrics.x, 199999) = 999 AND at(metrics.x, 200000) IS NULL", True),
    ],
)
def test_windows_of_a_long_series(embedded_target: str, long_run: str, text: str, finds: bool) -> None:
    assert (long_run in found(embedded_target, text)) is finds


def test_more_points_than_allowed_are_refused(
    embedded_target: str, long_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILTER_POINTS", 100_000)
    with pytest.raises(fleetlog.ResourceExhausted, match="more than 100,000 points") as caught:
        found(embedded_target, "max(metrics.x WHERE rank = -1) > 5")
    assert caught.value.reason == "READS_TOO_MUCH"
    # What is read is counted by whole granules of every part.
    # The same of few runs, of few points, or of what is known without points, is fine.
    assert long_run not in found(embedded_target, "max(metrics.x WHERE rank = -1) >= 5 AND tags.size = 'short'")
    assert found(embedded_target, "max(metrics.x WHERE step BETWEEN 128 AND 1279) > 5") == {long_run}
    assert found(embedded_target, "max(metrics.x) > 5") == {long_run}


def test_every_window_is_bounded() -> None:
    for text in (
        "at(metrics.x, 3) < 1",
        "min(metrics.x WHERE time > 3) < metrics.y",
        "mean(metrics.x WHERE step > 3) < 1",
    ):
        plan = plan_of(text)
        assert plan is not None
        sql = condition(plan, Scope("default", (1,)), Binds())
        assert sql.count(f"SETTINGS max_rows_to_read = {limits.FILTER_POINTS}") == 1
