"""How long the faults go on: a short form with every test run, a long one with `make test-faults`."""

from __future__ import annotations

import os

LONG = os.environ.get("FLEETLOG_FAULTS") == "long"


def sized(short: int, long: int) -> int:
    """The number for this form."""
    return long if LONG else short
