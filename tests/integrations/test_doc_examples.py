"""The examples of docs/integrations.md, of the libraries that are installed for the tests."""

from __future__ import annotations

import re
from pathlib import Path

import fleetlog
import pytest

PAGE = (Path(__file__).parents[2] / "docs/integrations.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n+```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))


def test_every_integration_has_an_example() -> None:
    modules = {path.stem for path in Path(fleetlog.__file__).parent.glob("integrations/*.py")} - {"__init__", "own_run"}
    assert {name for name in modules if f"fleetlog.integrations.{name} import" in PAGE} == modules
    assert all(compile(code, name, "exec") for name, code in EXAMPLES.items())


@pytest.mark.parametrize(
    ("section", "library", "experiment"),
    [
        ("LightGBM", "lightgbm", "trees"),
        ("scikit-learn", "sklearn", "ridge"),
        ("Optuna", "optuna", "study"),
        ("Hydra and OmegaConf", "omegaconf", "configs"),
    ],
)
def test_an_example_runs_and_logs(
    embedded_target: str, monkeypatch: pytest.MonkeyPatch, section: str, library: str, experiment: str
) -> None:
    pytest.importorskip(library, reason=f"NOT TESTED: {library} is not installed")
    monkeypatch.setenv("FLEETLOG_TARGET", embedded_target)
    monkeypatch.setenv("FLEETLOG_NAMESPACE", "integrations")
    exec(compile(EXAMPLES[section], section, "exec"), {})
    client = fleetlog.Client()
    client.flush()
    runs = client.search_runs(experiments=[experiment])
    assert runs
    assert all(run.state == "FINISHED" for run in runs)
    assert any(run.params for run in runs)
