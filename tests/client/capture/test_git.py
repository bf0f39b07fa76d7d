"""The state of a repository, by git itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fleetlog._capture import git as module
from fleetlog._capture.git import git_state
from fleetlog._capture.processes import ask


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", *arguments),
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("lr = 0.1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "remote", "add", "origin", "https://me:ghp_secret@host/me/repository.git")
    return folder


def test_a_clean_repository_has_commit_branch_and_remote(repository: Path) -> None:
    found = git_state(str(repository), with_diff=True)
    assert found is not None
    assert found.tags() == {
        "git.commit": git(repository, "rev-parse", "HEAD"),
        "git.branch": "main",
        "git.remote": "https://host/me/repository.git",
        "git.dirty": "false",
    }
    assert found.diff == b""


def test_what_is_not_committed_is_in_a_diff_that_git_applies(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 0.2\n")
    (repository / "né w.txt").write_text("not kept")
    (repository / "sub").mkdir()
    found = git_state(str(repository / "sub"), with_diff=True)
    assert found is not None
    assert found.is_dirty
    assert b"untracked, not kept: '../n\xc3\xa9 w.txt'" in found.diff or b"'n\xc3\xa9 w.txt'" in found.diff
    assert b"not kept\n" not in found.diff.replace(b"untracked, not kept: ", b"")
    patch = repository.parent / "changes.diff"
    patch.write_bytes(found.diff)
    git(repository, "stash", "-q")
    git(repository, "apply", str(patch))
    assert (repository / "train.py").read_text() == "lr = 0.2\n"


def test_secrets_in_a_diff_are_masked_and_it_says_so(repository: Path) -> None:
    (repository / "train.py").write_text("key = 'sk-" + "a1b2c3d4" * 4 + "'\n")
    found = git_state(str(repository), with_diff=True)
    assert found is not None
    assert b"a1b2c3d4" not in found.diff
    assert b"# what looks like a secret is masked" in found.diff


def test_a_large_diff_is_cut_at_a_line_and_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIFF_BYTES", 10_000)
    (repository / "train.py").write_text("".join(f"line = {number}\n" for number in range(100_000)))
    found = git_state(str(repository), with_diff=True)
    assert found is not None
    assert len(found.diff) < 11_000
    assert found.diff.endswith(b"\n")
    assert b"# cut: only the first " in found.diff


def test_contents_are_left_out_when_only_the_commit_is_asked_for(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 0.2\n")
    found = git_state(str(repository), with_diff=False)
    assert found is not None
    assert found.is_dirty
    assert found.diff == b""


def test_no_branch_no_remote_and_no_commit(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    git(repository, "remote", "remove", "origin")
    found = git_state(str(repository), with_diff=True)
    assert found is not None
    assert set(found.tags()) == {"git.commit", "git.dirty"}
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert git_state(str(empty), with_diff=True) is None


def test_a_folder_in_no_repository_has_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(str(tmp_path), with_diff=True) is None


def test_a_monitor_that_the_repository_names_is_not_run(repository: Path) -> None:
    marker = repository.parent / "ran"
    hook = repository / ".git" / "monitor"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    (repository / "train.py").write_text("lr = 0.3\n")
    found = git_state(str(repository), with_diff=True)
    assert found is not None
    assert found.is_dirty
    assert not marker.exists()


def test_a_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        ask(("sh", "-c", "sleep 600 & sleep 600"), folder=str(tmp_path), timeout_seconds=0.2, max_bytes=10)


def test_a_program_that_says_too_much_is_cut_and_ended(tmp_path: Path) -> None:
    endless = "import sys\nwhile True: sys.stdout.write('x' * 1000)"
    found = ask((sys.executable, "-c", endless), folder=str(tmp_path), timeout_seconds=120.0, max_bytes=5_000)
    assert found.is_cut
    assert len(found.output) == 5_000


def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        ask(("no-such-program",), folder=str(tmp_path), timeout_seconds=1.0, max_bytes=10, environment=dict(os.environ))
