"""A smaller plan that fails in the same way: faults, then processes, then steps are left out for as long as it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from simulation.plan import Plan

MOST_TRIES = 150
Fails = Callable[[Plan], str]
"""The failure of a plan's world; empty: it has none."""


def way_of(failure: str) -> str:
    """How a world failed, without the names and numbers of its own."""
    return re.sub(r"[0-9a-f]{8,}|[\d.,]+|\[.*?\]|\{.*?\}", "…", failure)


def shrunk(plan: Plan, failure: str, fails: Fails) -> Plan:
    """The smallest plan that was found."""
    way, tries = way_of(failure), 0
    smaller = True
    while smaller and tries < MOST_TRIES:
        smaller = False
        for candidate in _smaller(plan):
            tries += 1
            if way_of(fails(candidate)) == way:
                plan, smaller = candidate, True
                break
            if tries >= MOST_TRIES:
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that are a step smaller, the boldest first."""
    faults = plan.faults
    size = len(faults) // 2
    while size:
        for place in range(0, len(faults), size):
            yield plan.with_faults(faults[:place] + faults[place + size :])
        size //= 2
    if len(faults) == 1:
        yield plan.with_faults(())
    for place in reversed(range(len(plan.trainers))):
        if len(plan.trainers) > 1:
            yield replace(plan, trainers=plan.trainers[:place] + plan.trainers[place + 1 :])
    for place, trainer in enumerate(plan.trainers):
        if trainer.steps > 1:
            less = replace(trainer, steps=trainer.steps // 2)
            yield replace(plan, trainers=(*plan.trainers[:place], less, *plan.trainers[place + 1 :]))
    for place, namer in enumerate(plan.namers):
        yield replace(plan, namers=plan.namers[:place] + plan.namers[place + 1 :])
        if namer.requests > 1:
            fewer = replace(namer, requests=namer.requests // 2)
            yield replace(plan, namers=(*plan.namers[:place], fewer, *plan.namers[place + 1 :]))
    if plan.materializers > 1:
        yield replace(plan, materializers=1)
    if plan.gateways > 1:
        yield replace(plan, gateways=1)
