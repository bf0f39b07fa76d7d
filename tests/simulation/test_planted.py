"""Worlds find bugs: each that is planted, within 2,000 worlds."""

from __future__ import annotations

import pytest

from simulation.planted import BUGS, Bug, function_of, planted
from tests.simulation.worlds import simulation

WITHIN = 2_000


@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    done = simulation("--worlds", str(WITHIN), "--planted", bug.name, "--no-history")
    assert done.returncode == 1, f"{bug.what}: not found within {WITHIN:,} worlds\n{done.stdout}{done.stderr}"
    assert "fails: " in done.stdout, done.stderr


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_a_line_of_the_product_and_goes_again(bug: Bug) -> None:
    function = function_of(bug.function)
    before = function.__code__
    with planted(bug):
        assert function.__code__ is not before
    assert function.__code__ is before


def test_a_bug_whose_line_is_gone_is_not_planted() -> None:
    gone = Bug("gone", "a line that nobody wrote", BUGS[0].function, "no such line", "pass")
    with pytest.raises(LookupError, match="gone"), planted(gone):
        pytest.fail("it was planted")
