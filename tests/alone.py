"""Tests that failed beside others, three times each by themselves: what a busy machine does, told from a fault.

python -m tests.alone    the failures of the last run; fails when one fails again, when there are many, or when that run
                         did not come to its end
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TIMES = 3
MOST = 5
"""Maximum of tests that are tried again: more are no accident."""
CACHE = Path(".pytest_cache/v")
ENDED = "fleetlog/ended"
"""Key of the cache with the exit status of the last run, and the names of what failed in it."""
TESTS_FAILED = 1
"""Exit status of a run of pytest that came to its end."""


def failures(cache: Path) -> list[str]:
    """Names of the tests that failed in the last run. ValueError: it ended otherwise, or too many did."""
    ended = json.loads((cache / ENDED).read_text())
    status, names = ended["status"], list(ended["failed"])
    if status != TESTS_FAILED:
        raise ValueError(f"the last run of the tests ended with exit status {status}: not all were tried")
    if not 0 < len(names) <= MOST:
        raise ValueError(f"{len(names)} tests failed, and at most {MOST} are tried again")
    return names


def main() -> int:
    """Exit code."""
    try:
        names = failures(CACHE)
    except (OSError, ValueError) as error:
        print(f"!! not tried again: {error}", file=sys.stderr)
        return 1
    pytest = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider"]
    for _ in range(TIMES):
        if ended := subprocess.call([*pytest, *names]):
            return ended
    print(
        f"!! FAILED BESIDE OTHERS, AND PASSED {TIMES} TIMES ALONE. Mend them:", *names, sep="\n!!   ", file=sys.stderr
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
