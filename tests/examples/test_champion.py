"""The example of the registry, run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "registry" / "champion.py"


def test_the_champion_is_the_run_with_the_lowest_loss(embedded_target: str) -> None:
    spec = importlib.util.spec_from_file_location("champion", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(embedded_target) == "lr=0.01\n"
