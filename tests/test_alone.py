"""Which failures are tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import alone


def cache(path: Path, status: int, failed: list[str]) -> Path:
    file = path / alone.ENDED
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"status": status, "failed": failed}))
    return path


def test_a_few_failures_are(tmp_path: Path) -> None:
    assert alone.failures(cache(tmp_path, alone.TESTS_FAILED, ["a.py::one", "b.py::two"])) == ["a.py::one", "b.py::two"]


@pytest.mark.parametrize(
    ("status", "failed", "why"),
    [
        (2, ["a.py::one"], "exit status 2: not all were tried"),
        (alone.TESTS_FAILED, [f"a.py::{number}" for number in range(alone.MOST + 1)], "6 tests failed"),
        (alone.TESTS_FAILED, [], "0 tests failed"),
    ],
)
def test_a_run_that_did_not_end_or_that_failed_much_is_not(
    tmp_path: Path, status: int, failed: list[str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        alone.failures(cache(tmp_path, status, failed))
