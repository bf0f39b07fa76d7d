"""Contract tests of MLflow's plugin. They want mlflow-skinny: without it the summary says in one line that they did not
run."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

HAS_MLFLOW = find_spec("mlflow") is not None
collect_ignore_glob = [] if HAS_MLFLOW else ["test_store_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not HAS_MLFLOW:
        terminalreporter.write_line(
            "NOT TESTED: MLflow's plugin, mlflow is not installed (pip install fleetlog[mlflow])"
        )
