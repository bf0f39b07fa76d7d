from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleetlog_core.open_files import raise_open_files

resource = pytest.importorskip("resource")


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """The process's own limits, put back afterwards."""
    before: tuple[int, int] = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_as_far_as_it_is_wanted(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    assert raise_open_files(300) == 300
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, limits[1])


def test_a_limit_that_is_high_enough_stays(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, limits[1]))
    assert raise_open_files(300) == 400
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (400, limits[1])


def test_a_limit_that_may_not_be_passed_is_told(limits: tuple[int, int]) -> None:
    hard = limits[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this process may have any number of files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert raise_open_files(hard + 1) == hard
