"""Plans come of their numbers, and a smaller one is found that fails in the same way."""

from __future__ import annotations

from simulation.plan import STORM_SECONDS, Kind, Plan, plan_of
from simulation.shrinking import shrunk, way_of


def test_a_number_gives_one_plan_and_all_kinds_of_faults_are_met() -> None:
    assert plan_of(4711) == plan_of(4711)
    plans = [plan_of(seed) for seed in range(1, 501)]
    kinds = {fault.kind for plan in plans for fault in plan.faults}
    assert kinds == set(Kind)
    assert all(0 <= fault.at <= STORM_SECONDS for plan in plans for fault in plan.faults)
    assert {len(plan.faults) for plan in plans} >= {0, 14}


def test_what_a_failure_does_not_need_is_left_out() -> None:
    plan = next(one for one in map(plan_of, range(1, 1_000)) if len(one.faults) > 8 and len(one.trainers) > 2)
    needed = plan.faults[5]

    def fails(one: Plan) -> str:
        if needed in one.faults and plan.trainers[1] in one.trainers:
            return f"{len(one.faults)}.0 is visible twice (1, 2)"
        return "something else" if not one.faults else ""

    small = shrunk(plan, fails(plan), fails)
    assert small.faults == (needed,)
    assert small.trainers == (plan.trainers[1],)
    assert (small.gateways, small.materializers) == (1, 1)


def test_failures_are_told_apart_by_their_words() -> None:
    assert way_of("17.0 is visible twice (1, 2)") == way_of("4.0 is visible twice (1, 2)")
    assert way_of("events-0@6 is applied, and [7.0, 8.0] are not visible (1)") != way_of("4.0 is visible twice (1, 2)")
