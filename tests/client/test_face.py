"""What a user sees of the package: its names, its help, and the examples in it, which are run."""

from __future__ import annotations

import doctest
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fleetlog
import pytest
from google.protobuf.message import Message

INNER = ("lost", "left_out", "say_inputs", "go_on_behind")
"""What the package calls of a Run in other rooms."""
CALLS: list[Any] = [
    method
    for kind in (fleetlog.Client, fleetlog.Run)
    for name, method in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_") and name not in INNER
]
DOCUMENTED: list[Any] = [*CALLS, fleetlog.Client, fleetlog.Run, fleetlog.start_run, fleetlog.flush]


def test_dir_shows_what_users_use_and_nothing_else() -> None:
    assert set(dir(fleetlog)) == {*fleetlog.__all__, "__doc__", "__version__"}


def test_every_class_and_function_is_of_the_package_itself() -> None:
    for name in fleetlog.__all__:
        known = getattr(fleetlog, name)
        if isinstance(known, (type, types.FunctionType)):
            assert (known.__module__, known.__name__) == ("fleetlog", name)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__qualname__)
def test_no_call_takes_or_gives_a_protobuf(call: Any) -> None:
    said = typing.get_type_hints(call, localns=_checked_types())
    for known in said.values():
        assert not _mentions_message(known), call.__qualname__


def _checked_types() -> dict[str, Any]:
    import pandas
    import polars
    import pyarrow

    return {"pd": pandas, "pl": polars, "pa": pyarrow}


def _mentions_message(known: Any) -> bool:
    if isinstance(known, type) and issubclass(known, Message):
        return True
    return any(_mentions_message(one) for one in typing.get_args(known))


@pytest.mark.parametrize("call", DOCUMENTED, ids=lambda call: call.__qualname__)
def test_help_tells_every_argument_and_gives_an_example(call: Any) -> None:
    said = inspect.getdoc(call) or ""
    for name, argument in inspect.signature(call).parameters.items():
        if name == "self" or call is fleetlog.Run:
            continue
        stars = "*" * (argument.kind is argument.VAR_POSITIONAL) + "**" * (argument.kind is argument.VAR_KEYWORD)
        assert f"\n    {stars}{name}: " in said, f"{name} is not told"
    assert "\nExamples:\n    >>> " in said


class Prepared(typing.NamedTuple):
    """What examples may use: a client, an open run that was logged to, and a folder of files."""

    client: fleetlog.Client
    run: fleetlog.Run


@pytest.fixture(scope="module")
def prepared(embedded_target: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEETLOG_TARGET", embedded_target)
        patch.setenv("FLEETLOG_NAMESPACE", "docs")
        patch.chdir(tmp_path_factory.mktemp("docs"))
        Path("ckpt").mkdir()
        Path("ckpt/model.pt").write_bytes(b"weights")
        Path("notes.txt").write_bytes(b"notes")
        run = fleetlog.start_run("speedrun", "baseline", params={"lr": 2e-5}, tags={"team": "a"})
        for step in range(5):
            run.log({"train_loss": 4.0 / 2**step}, step=step)
        run.log({"val_loss": 3.25}, step=4)
        run.log_artifacts("ckpt", "ckpt")
        run.log_artifact("notes.txt")
        run.flush()
        yield Prepared(fleetlog.Client(), run)
        run.finish()


def examples_of(documented: Any, prepared: Prepared) -> list[doctest.DocTest]:
    words = {"fleetlog": fleetlog, "client": prepared.client, "run": prepared.run}
    return doctest.DocTestFinder(recurse=False).find(documented, documented.__name__, module=False, globs=words)


def check(documented: Any, prepared: Prepared) -> None:
    (example,) = examples_of(documented, prepared)
    said: list[str] = []
    done = doctest.DocTestRunner().run(example, out=said.append)
    assert not done.failed, "".join(said)
    assert done.attempted


def test_the_examples_of_reads_say_what_comes(prepared: Prepared) -> None:
    calls = dict(inspect.getmembers(fleetlog.Client, inspect.isfunction))
    # Before others make more experiments.
    check(calls.pop("experiments"), prepared)
    for name, call in calls.items():
        if not name.startswith("_"):
            check(call, prepared)
    check(fleetlog.Client, prepared)


def test_what_the_examples_log_is_taken(prepared: Prepared) -> None:
    """Nothing that logs raises: an example that is wrong shows as a problem of the run."""
    for call in CALLS:
        if call.__qualname__.startswith("Run"):
            for example in examples_of(call, prepared):
                assert not doctest.DocTestRunner().run(example).failed
    for documented in (fleetlog.Run, fleetlog.start_run, fleetlog.flush):
        check(documented, prepared)
    prepared.run.flush()
    view = prepared.client.get_run(prepared.run)
    assert [problem for problem in view.problems if problem.reason != "PARAM_CONFLICT"] == []
    assert {"notes.md", "config.json", "checker.png", "eval.json", "images/samples/step_00000010.png"} <= {
        file.path for file in prepared.client.list_artifacts(view)
    }
