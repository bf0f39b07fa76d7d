from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleetlog_deploy.doctor import default_data, examine

from tests.deploy.processes import WITHOUT_SERVER, fleetlog


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that is taken and where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def looked(data: Path, target: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit code, and what is wrong: the finding and its mend by what was looked at."""
    code = examine(data, target)
    lines = capsys.readouterr().out.splitlines()
    wrong = {}
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("✗ "):
            assert following.startswith("    mend: ")
            what, _, found = line[2:].partition(": ")
            wrong[what] = f"{found} | {following.removeprefix('    mend: ')}"
    return code, wrong


def test_a_server_that_is_absent(tmp_path: Path, nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, wrong = looked(tmp_path / "not there yet", nobody, capsys)
    assert code == 1
    assert wrong == {"server": f"nobody answers at {nobody} | start it with `fleetlog up`, or give --target"}


def test_all_is_well(
    tmp_path: Path, embedded_target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert looked(tmp_path / "[red]new", embedded_target, capsys) == (0, {})
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert default_data() == tmp_path / "home" / "fleetlog"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data() == tmp_path / ".local" / "share" / "fleetlog"


def test_data_directories_that_are_none(
    tmp_path: Path, embedded_target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "[x]file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    (tmp_path / "empty").mkdir()
    file = tmp_path / "[x]file"
    assert looked(file, embedded_target, capsys) == (1, {"data": f"{file} is not a directory | give another --data"})
    assert looked(file / "below", embedded_target, capsys) == (
        1, {"data": f"{file / 'below'} can't be made: {file} is not a directory | give another --data"},
    )  # fmt: skip
    code, wrong = looked(tmp_path / "other", embedded_target, capsys)
    assert code == 1
    assert "no log of fleetlog | give the --data that `fleetlog up` was given" in wrong["data"]
    assert looked(tmp_path / "empty", embedded_target, capsys) == (0, {})


def test_a_lock_that_was_left_behind_is_nobodys(
    tmp_path: Path, embedded_target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events.sqlite").touch()
    (tmp_path / "log" / "events.sqlite.lock").write_text("1")
    assert examine(tmp_path, embedded_target) == 0
    assert "✓ data holder: nobody\n" in capsys.readouterr().out


def test_the_servers_packages_are_missing(tmp_path: Path, nobody: str) -> None:
    (ended,) = fleetlog(("doctor", "--data", tmp_path, "--target", nobody), command=WITHOUT_SERVER)
    assert (ended.code, ended.err) == (1, "")
    assert "✗ server packages: missing: chdb, lark\n    mend: pip install 'fleetlog[server]'\n" in ended.out
    assert f"✗ server: nobody answers at {nobody}\n" in ended.out
