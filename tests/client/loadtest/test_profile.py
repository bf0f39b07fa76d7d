from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping

import pytest
from fleetlog.errors import InvalidArgument
from fleetlog.loadtest.profile import BUILT_IN, Profile, Search, built_in, changed, parse
from fleetlog.loadtest.profile_text import as_toml
from fleetlog.loadtest.schedule import Share, due, end_of, has_file, places, share_of
from hypothesis import given
from hypothesis import strategies as st


def test_a_file_says_what_differs() -> None:
    found = parse(
        """
        workers = 12
        ranks = 4
        steps_per_second = 2
        [[searches]]
        filter = "metrics.m000 < 0.5"
        order_by = "metrics.m001 ASC"
        per_second = 3
        """
    )
    assert (found.workers, found.ranks, found.runs, found.metrics) == (12, 4, 3, Profile().metrics)
    assert found.steps_per_second == 2.0
    assert found.searches == (Search("metrics.m000 < 0.5", ("metrics.m001 ASC",), per_second=3.0),)


def test_a_file_may_build_on_a_profile() -> None:
    found = parse('like = "fleet"\nworkers = 100')
    assert found == changed(built_in("fleet"), {"workers": 100})


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_shown_is_the_profile_with_its_meanings(name: str) -> None:
    text = as_toml(built_in(name))
    assert parse(text) == built_in(name)
    # Each setting has its meaning above it.
    lines = text.splitlines()
    for key in tomllib.loads(text).keys() - {"searches"}:
        assert lines[next(n for n, line in enumerate(lines) if line.startswith(f"{key} =")) - 1].startswith("# ")


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        ("workers = ", "profile", "no TOML"),
        ("worker = 3", "worker", "there are workers, ranks"),
        ("workers = 0", "workers", "0 is not 1 to 1,000,000"),
        ("workers = true", "workers", "whole number from 1 to 1,000,000"),
        ("workers = 2.5", "workers", "whole number"),
        ("seconds = nan", "seconds", "is not 0.1 to"),
        ("seconds = 'long'", "seconds", "no number from 0.1"),
        ("ranks = 11", "ranks", "more than there are workers (10)"),
        ("like = 'flet'", "like", "there are smoke, team, fleet, burst"),
        ("like = 3", "like", "is no profile"),
        ("searches = 3", "searches", "write [[searches]]"),
        ("searches = [3]", "searches[0]", "write [[searches]]"),
        ("[[searches]]\nfilter = 3", "searches[0].filter", "no text"),
        ("[[searches]]\norder_by = [3]", "searches[0].order_by", "no list of texts"),
        ("[[searches]]\nper_second = -1", "searches[0].per_second", "is not 0.001 to 1,000"),
        ("[[searches]]\nhertz = 1", "searches[0].hertz", "there are filter, order_by"),
        ("artifact_bytes = 2000000", "artifact_bytes", "0 to 1,048,576"),
    ],
)
def test_what_can_not_be_is_named(text: str, field: str, told: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(text)
    assert error.value.reason == "PROFILE_INVALID"
    assert [one.field for one in error.value.violations] == [field]
    assert told in error.value.message


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1", "1/0", "a/b", "1/2000", "-1/2"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="no share such as 2/4"):
        share_of(text)


@given(workers=st.integers(1, 60), ranks=st.integers(1, 5), machines=st.integers(1, 6))
def test_machines_have_all_workers_once_and_no_run_together(workers: int, ranks: int, machines: int) -> None:
    profile = Profile(workers=workers, ranks=min(ranks, workers))
    shares = [list(places(profile, Share(number, machines))) for number in range(1, machines + 1)]
    assert sorted(place.number for share in shares for place in share) == list(range(workers))
    of_runs: Mapping[int, set[int]] = {}
    for number, share in enumerate(shares):
        for place in share:
            of_runs = {**of_runs, place.run: of_runs.get(place.run, set()) | {number}}
    assert all(len(machine) == 1 for machine in of_runs.values())
    assert len(of_runs) == profile.runs


def test_steps_are_due_at_a_pace_until_the_end() -> None:
    profile = Profile(workers=4, steps_per_second=0.5, seconds=10, ramp_seconds=8)
    starts = [place.starts for place in places(profile, Share())]
    assert starts == [0.0, 2.0, 4.0, 6.0]
    last = list(places(profile, Share()))[-1]
    assert [due(profile, last, step) for step in range(3)] == [6.0, 8.0, 10.0]
    assert end_of(profile) == 18.0
    assert due(profile, last, 6) == math.inf


def test_workers_without_a_ramp_are_not_in_step() -> None:
    profile = Profile(workers=10, steps_per_second=0.1, seconds=100)
    assert [place.starts for place in places(profile, Share())] == [float(n) for n in range(10)]


@given(files=st.integers(0, 20), steps=st.integers(1, 60))
def test_files_come_with_the_first_steps_as_often_as_said(files: int, steps: int) -> None:
    profile = Profile(artifacts=files, seconds=float(steps), steps_per_second=1.0)
    assert sum(has_file(profile, step) for step in range(steps)) == min(files, steps)
