"""The foremost by a metric, while numbers that were superseded lie in the tables still."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import fleetlog
import pytest
from fleetlog_query.changes.held import Held

EXPERIMENT = "foremost"
RUNS, TIMES = 60, 6


@pytest.fixture(autouse=True)
def by_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the columns do not fit the memory."""
    monkeypatch.setattr(Held, "held_bytes", 0)


@pytest.fixture(scope="module")
def values(embedded_target: str) -> dict[str, list[float]]:
    """What runs had of `loss`, one after the other. Each was the lowest or the highest of all for a while."""
    rng = random.Random(11)
    runs = [fleetlog.start_run(EXPERIMENT, params={"place": place}, target=embedded_target) for place in range(RUNS)]
    logged: dict[str, list[float]] = {run.id: [] for run in runs}
    for step in range(TIMES):
        for place, run in enumerate(runs):
            extreme = place % TIMES == step and step < TIMES - 1
            value = rng.choice([-100.0, 100.0]) - step if extreme else round(rng.random() * 8) / 8
            logged[run.id].append(value)
            run.log({"loss": value, "other": float(place), "bad": math.nan}, step=step)
        # Each step is a part of its own.
        fleetlog.flush(level="applied", target=embedded_target)
    for run in runs:
        run.finish(wait=False)
    fleetlog.flush(level="applied", target=embedded_target)
    return logged


@pytest.fixture(scope="module")
def losses(values: dict[str, list[float]]) -> dict[str, float]:
    """What they have in the end."""
    return {run_id: logged[-1] for run_id, logged in values.items()}


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
            had = {key: value for key, value in run.metrics.items() if key != "bad"}
            assert had == shown[mask[-1] if mask else ""]
            assert run.params == ({"place": int(place)} if not mask or "params" in mask else {})


def test_a_condition_beside_it(embedded_target: str, losses: dict[str, float]) -> None:
    client = fleetlog.Client(embedded_target)
    found = client.search_runs(
        "metrics.loss > 0.4 AND params.place < 30", experiments=[EXPERIMENT], order_by=["metrics.loss"], limit=5
    )
    fit = [loss for place, loss in enumerate(losses.values()) if place < 30 and loss > 0.4]
    assert [run.metrics["loss"] for run in found] == sorted(fit)[:5]


@pytest.mark.parametrize("way", ["ASC", "DESC"])
@pytest.mark.parametrize(("function", "extreme"), [("min", min), ("max", max)])
def test_the_lowest_and_the_highest_of_several_parts(
    embedded_target: str, values: dict[str, list[float]], way: str, function: str,
    extreme: Callable[[list[float]], float],
) -> None:  # fmt: skip
    client = fleetlog.Client(embedded_target)
    starts = {run.id: run.start_time for run in client.search_runs(experiments=[EXPERIMENT], limit=None)}
    sign = 1 if way == "ASC" else -1
    order = sorted(
        sorted(values), key=lambda run_id: (sign * extreme(values[run_id]), -starts[run_id].timestamp())
    )  # fmt: skip
    for limit in (1, 10, RUNS // 2, None):
        found = client.search_runs(experiments=[EXPERIMENT], order_by=[f"{function}(metrics.loss) {way}"], limit=limit)
        assert [run.id for run in found] == order[:limit]
    assert len(client.search_runs(experiments=[EXPERIMENT], order_by=[f"{function}(metrics.bad)"], limit=5)) == 5


@pytest.mark.parametrize("way", ["ASC", "DESC"])
def test_numbers_of_params(embedded_target: str, losses: dict[str, float], way: str) -> None:
    client = fleetlog.Client(embedded_target)
    found = client.search_runs(experiments=[EXPERIMENT], order_by=[f"params.place {way}"], limit=7)
    places = range(7) if way == "ASC" else range(RUNS - 1, RUNS - 8, -1)
    assert [run.params["place"] for run in found] == list(places)
