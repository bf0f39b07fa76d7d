"""What is recorded once: the program, its packages and its machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from fleetlog._capture import inputs as module
from fleetlog._capture.gpus import Gpus
from fleetlog._capture.host import environment, environment_tags
from fleetlog._capture.launcher import Launched
from fleetlog._capture.packages import requirements
from fleetlog._capture.program import program
from fleetlog._capture.recording import Inputs
from fleetlog._capture.switches import Switches, switches


def collected(on: Switches, gpus: Gpus) -> Inputs:
    """All kinds together."""
    found = Inputs()
    for inputs in module.collected(on, gpus):
        found.tags.update(inputs.tags)
        found.files.update(inputs.files)
    return found


def package(folder: Path, name: str, origin: object = None) -> None:
    path = folder / f"{name}.dist-info"
    path.mkdir(parents=True)
    if origin is not None:
        (path / "direct_url.json").write_text(json.dumps(origin))


def test_packages_are_lines_of_a_requirements_file_with_where_they_came_from(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    package(first, "Numpy-2.1.0")
    package(second, "numpy-1.0.0")
    package(second, "scikit_learn-1.5")
    package(second, "here-0.1", {"url": "file:///src/here", "dir_info": {"editable": True}})
    package(
        second, "vcs-0.2", {"url": "https://me:pw@host/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    )  # fmt: skip
    package(second, "broken-3.0", "no dict")
    (second / "no-version.egg").touch()
    found = requirements([str(first), str(second), str(tmp_path / "missing"), __file__])
    assert found.splitlines() == [
        "broken==3.0",
        "here==0.1  # editable, from file:///src/here",
        "Numpy==2.1.0",
        "scikit_learn==1.5",
        "vcs @ git+https://host/x.git@abc",
    ]


def test_the_packages_of_this_process_are_found() -> None:
    assert any(line.startswith("pytest==") for line in requirements().splitlines())


def run_as(monkeypatch: pytest.MonkeyPatch, file: Path, *arguments: str) -> None:
    main = ModuleType("__main__")
    main.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", [str(file), *arguments])


def test_a_script_is_kept_without_its_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "train it.py"
    script.write_text("API_KEY = 'abcdefgh'\nlr = 0.1\n")
    run_as(monkeypatch, script, "--token", "hunter2", "--lr", "0.1")
    found = collected(switches(["code", "environment"]), Gpus("no_such_library"))
    assert found.files["code/train it.py"] == b"API_KEY = '***'\nlr = 0.1\n"
    assert found.tags["process.command"] == f"{script} --token *** --lr 0.1"
    assert found.tags["mlflow.source.name"] == str(script)
    assert found.tags["mlflow.source.type"] == "LOCAL"
    assert "hunter2" not in str(found)


def test_what_came_with_a_package_is_no_script_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    run_as(monkeypatch, Path(pytest.__file__))
    assert program({}).path is None


def test_large_and_binary_scripts_are_named_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for content in (b"x" * 1_000_000, b"\0\1"):
        script = tmp_path / "train.py"
        script.write_bytes(content)
        run_as(monkeypatch, script)
        assert program({}).path == script
        assert program({}).source() is None


def test_a_notebook_is_told_by_its_server(tmp_path: Path) -> None:
    notebook = tmp_path / "explore.ipynb"
    notebook.write_text("{}")
    found = program({"JPY_SESSION_NAME": str(notebook)})
    assert found.path == notebook
    assert found.is_notebook
    assert program({"JPY_SESSION_NAME": str(tmp_path / "gone.ipynb")}).path != tmp_path / "gone.ipynb"


def test_variables_are_recorded_only_when_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SETTING", "fast")
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    monkeypatch.setenv("MY_URL", "https://me:pw@host")
    named = ["MY_SETTING", "MY_TOKEN", "MY_URL", "NOT_SET"]
    said = environment(program({}), [], Launched("torchrun", 1, 4, 1), named)
    assert said["variables"] == {"MY_SETTING": "fast", "MY_TOKEN": "***", "MY_URL": "https://***@host"}
    assert environment(program({}), [], None, [])["variables"] == {}
    tags = environment_tags(said)
    assert tags["launcher.world_size"] == "4"
    assert tags["python.version"] == sys.version.split()[0]
    assert "fast" not in str(tags)


def test_each_kind_is_recorded_by_its_switch_alone() -> None:
    gpus = Gpus("no_such_library")
    assert collected(Switches(frozenset()), gpus) == Inputs()
    found = collected(switches(["packages"]), gpus)
    assert set(found.files) == {"requirements.txt"}
    assert found.tags == {}


def test_a_kind_that_fails_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("no packages today")

    monkeypatch.setattr(module, "requirements", broken)
    found = collected(switches(["packages", "environment"]), Gpus("no_such_library"))
    assert set(found.files) == {"environment.json"}
