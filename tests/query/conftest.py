from __future__ import annotations

import pytest

from tests.query.random_runs import FLEET, Fleet, log_fleet


@pytest.fixture(scope="session")
def fleet(embedded_target: str) -> Fleet:
    """Random runs of the embedded server, which no test changes. Their experiment is `FLEET`."""
    return log_fleet(embedded_target, FLEET)
