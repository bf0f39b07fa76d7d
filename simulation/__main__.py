"""Runs worlds, each out of its number, and tells of the first that breaks a promise.

python -m simulation --worlds 500                 the worlds 1 to 500, two at a time
python -m simulation --worlds 10000 --seed 7000   10,000 others
python -m simulation 4711                         the world 4711 again; when it fails, the shortest history found
python -m simulation 4711 --history               and all that happens in it
python -m simulation --planted early-ack          with a bug, to see that it is found; --planted list: which there are

The exit code is 1 when a world fails.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from simulation.campaign import run_many
from simulation.plan import Plan, plan_of
from simulation.planted import BUGS, Bug, bug, planted
from simulation.shrinking import shrunk
from simulation.world import Outcome, run_world

LINES = 120
"""Lines of a history that are shown of a world that fails."""


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("world", nargs="?", type=int, help="number of one world, which is run again")
    parser.add_argument("--worlds", type=int, default=100, help="how many worlds (100)")
    parser.add_argument("--seed", type=int, default=1, help="number of the first of them (1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--history", action="store_true", help="show all that happens in the world")
    parser.add_argument("--no-history", action="store_true", help="name the world that fails, and leave it at that")
    parser.add_argument("--planted", default="", metavar="BUG", help="name of a bug that the product gets; list: names")
    given = parser.parse_args(arguments)
    if given.planted == "list":
        print("\n".join(f"{one.name:<22} {one.what}" for one in BUGS))
        return 0
    if given.planted and given.planted not in {one.name for one in BUGS}:
        parser.error(f"there is no bug {given.planted!r}; --planted list names those there are")
    # What the product tells of faults is in the histories.
    logging.disable(logging.CRITICAL)
    planted_bug = bug(given.planted) if given.planted else None
    if given.world is not None:
        return _replay(plan_of(given.world), planted_bug, everything=given.history)
    tally = run_many(given.seed, given.worlds, given.jobs, given.planted)
    print(tally.words())
    if tally.failed is None:
        return 0
    print(f"world {tally.failed.seed} fails: {tally.failed.failure}")
    if given.no_history:
        return 1
    return _replay(plan_of(tally.failed.seed), planted_bug, everything=given.history)


def _replay(plan: Plan, planted_bug: Bug | None, *, everything: bool) -> int:
    """Run a world, and smaller ones when it fails."""
    with planted(planted_bug):
        found = run_world(plan)
        if not found.failure:
            _show(found, len(found.history.lines) if everything else 0)
            return 0
        small = shrunk(plan, found.failure, lambda one: run_world(one).failure)
        _show(run_world(small), len(found.history.lines) if everything else LINES)
    return 1


def _show(found: Outcome, lines: int) -> None:
    plan = found.plan
    print(f"world {plan.seed}: {found.failure or 'all promises hold'}")
    print(
        f"  {found.events:,} events, {found.checks:,} checks, {found.seconds:.1f} s of its time, digest {found.digest};"
        f" {len(plan.trainers)} trainers, {len(plan.namers)} namers, {plan.gateways} gateways,"
        f" {plan.materializers} materializers, {plan.partitions} partitions"
    )
    for fault in plan.faults:
        print(f"  {fault}")
    if lines:
        print(found.history.last(lines))
    if found.trace:
        print(found.trace)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # What the product does in the order of a set is the same in each process then.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]])  # noqa: S606
    raise SystemExit(main(sys.argv[1:]))
