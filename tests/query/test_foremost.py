"""The foremost by a metric, while numbers that were superseded lie in the tables still."""

from __future__ import annotations

import random

import fleetlog
import pytest

EXPERIMENT = "foremost"
RUNS, TIMES = 60, 6


@pytest.fixture(scope="module")
def losses(embedded_target: str) -> dict[str, float]:
    """What runs have of `loss` in the end. Before, each was the lowest or the highest of all for a while."""
    rng = random.Random(11)
    runs = [fleetlog.start_run(EXPERIMENT, params={"place": place}, target=embedded_target) for place in range(RUNS)]
    now: dict[str, float] = {}
    for step in range(TIMES):
        for place, run in enumerate(runs):
            extreme = place % TIMES == step and step < TIMES - 1
            now[run.id] = rng.choice([-100.0, 100.0]) - step if extreme else round(rng.random() * 8) / 8
            run.log({"loss": now[run.id], "other": float(place)}, step=step)
        # Each step is a part of its own.
        fleetlog.flush(embedded_target, level="applied")
    for run in runs:
        run.finish(wait=False)
    fleetlog.flush(embedded_target, level="applied")
    return now


@pytest.mark.parametrize("way", ["ASC", "DESC"])
@pytest.mark.parametrize("mask", [[], ["attributes"], ["attributes", "params"], ["attributes", "metrics.other"]])
def test_no_number_of_the_past_is_among_them(
    embedded_target: str, losses: dict[str, float], way: str, mask: list[str]
) -> None:
    client = fleetlog.Client(embedded_target)
    starts = {run.id: run.start_time for run in client.search_runs(experiments=[EXPERIMENT], limit=None)}
    sign = 1 if way == "ASC" else -1
    order = sorted(sorted(losses), key=lambda run_id: (sign * losses[run_id], -starts[run_id].timestamp()))
    for limit in (1, 10, RUNS // 2, None):
        found = client.search_runs(
            experiments=[EXPERIMENT], order_by=[f"metrics.loss {way}"], limit=limit, read_mask=mask
        )
        assert [run.id for run in found] == order[:limit]
        for run in found:
            place = float(next(place for place, run_id in enumerate(losses) if run_id == run.id))
            whole = {"loss": losses[run.id], "other": place}
            shown = {"": whole, "attributes": {}, "params": {}, "metrics.other": {"other": place}}
            assert run.metrics == shown[mask[-1] if mask else ""]
            assert run.params == ({"place": int(place)} if not mask or "params" in mask else {})


def test_a_condition_beside_it(embedded_target: str, losses: dict[str, float]) -> None:
    client = fleetlog.Client(embedded_target)
    found = client.search_runs(
        "metrics.loss > 0.4 AND params.place < 30", experiments=[EXPERIMENT], order_by=["metrics.loss"], limit=5
    )
    fit = [loss for place, loss in enumerate(losses.values()) if place < 30 and loss > 0.4]
    assert [run.metrics["loss"] for run in found] == sorted(fit)[:5]
