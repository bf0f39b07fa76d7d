"""Worlds of the product as it is: no promise is broken, and each comes again from its number."""

from __future__ import annotations

import re

import pytest

from tests.profiles import CI, EXAMPLES
from tests.simulation.worlds import digests, simulation

WORLDS = 500 if EXAMPLES >= CI else 60
"""Worlds that are run: all of them in CI."""


@pytest.mark.timeout(600)
def test_no_world_breaks_a_promise() -> None:
    done = simulation("--worlds", str(WORLDS))
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    found = re.match(r"([\d,]+) worlds .* ([\d,]+) checks", done.stdout)
    assert found
    worlds, checks = (int(text.replace(",", "")) for text in found.groups())
    assert worlds == WORLDS
    assert checks > 100 * WORLDS


def test_a_world_comes_again_line_by_line() -> None:
    once, again = (simulation("12", "--history").stdout for _ in range(2))
    assert once == again
    assert len(once.splitlines()) > 100


def test_a_world_is_the_same_in_any_process_and_beside_any_other() -> None:
    # Twice in one process, behind others, and where sets have another order.
    worlds = (12, 13, 14, 12)
    once, again = (digests(*worlds, hash_seed=seed) for seed in (1, 2))
    assert once == again
    assert once[0] == once[3]
    assert len(set(once)) == 3


def test_a_world_that_fails_is_told_with_its_shortest_history_and_exit_code() -> None:
    done = simulation("--worlds", "200", "--planted", "early-ack", "--jobs", "1")
    assert done.returncode == 1
    seed = re.search(r"world (\d+) fails: (.*)", done.stdout)
    assert seed
    assert "acknowledged, and not in the log" in seed[2]
    assert f"world {seed[1]}: " in done.stdout
    assert "FAILS: " in done.stdout
    again = simulation(seed[1], "--planted", "early-ack")
    assert again.returncode == 1
    assert again.stdout in done.stdout


def test_a_bug_that_is_not_there_is_refused_with_where_names_are() -> None:
    done = simulation("--planted", "nonsense")
    assert done.returncode == 2
    assert "--planted list" in done.stderr
    assert "early-ack" in simulation("--planted", "list").stdout
