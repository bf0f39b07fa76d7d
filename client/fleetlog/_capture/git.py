"""The state of the git repository that a program stands in, by git itself.

Nothing of the repository is run or changed: no hooks, no monitor, no drivers of diffs, no lock of the index.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleetlog._capture.masking import masked, without_credentials
from fleetlog._capture.processes import Answer, ask

COMMAND_SECONDS = 10.0
"""Longest time of one command."""
DIFF_BYTES = 960 * 1024
"""Bytes of a diff that are kept; with its head it travels in one event."""
LIST_BYTES = 256 * 1024
NAMED_FILES = 200
"""Untracked files that are named."""
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_PAGER": "cat"}


@dataclass(frozen=True, slots=True)
class GitState:
    """State of a repository: what a run can be made from again."""

    commit: str
    branch: str = ""
    """Empty when none is checked out."""
    remote: str = ""
    """Without credentials; empty when there is none."""
    is_dirty: bool = False
    """True if tracked files are not as in the commit."""
    untracked: tuple[str, ...] = ()
    diff: bytes = b""
    """What is not in the commit, with a head in words. Secrets of known shapes are masked."""

    def tags(self) -> dict[str, str]:
        """Tags of the run."""
        found = {
            "git.commit": self.commit, "git.branch": self.branch, "git.remote": self.remote,
            "git.dirty": "true" if self.is_dirty else "false",
        }  # fmt: skip
        return {key: value for key, value in found.items() if value}


def git_state(folder: str, *, with_diff: bool) -> GitState | None:
    """Returns the state; None when the folder is in no repository, or in one without commits. OSError: no git."""
    commit = _asked(folder, "rev-parse", "--verify", "-q", "HEAD").text()
    if not commit:
        return None
    branch = _asked(folder, "symbolic-ref", "--short", "-q", "HEAD").text()
    status = _asked(folder, "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty")
    changed, untracked = _changes(status)
    diff = _asked(
        folder, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "HEAD",
        max_bytes=DIFF_BYTES,
    ) if with_diff and changed else None  # fmt: skip
    return GitState(
        commit,
        branch,
        _remote(_asked(folder, "config", "--get-regexp", r"^remote\..*\.url$").text()),
        changed,
        untracked,
        b"" if not with_diff else _headed(commit, diff, untracked),
    )


def _asked(folder: str, *arguments: str, max_bytes: int = LIST_BYTES) -> Answer:
    return ask(
        (*_GIT, *arguments), folder=folder, timeout_seconds=COMMAND_SECONDS, max_bytes=max_bytes,
        environment=_ENVIRONMENT,
    )  # fmt: skip


def _changes(status: Answer) -> tuple[bool, tuple[str, ...]]:
    """True if a tracked file is changed; and the files that are untracked."""
    entries = [one for one in status.output.decode("utf-8", "replace").split("\0") if one]
    untracked = [one[3:] for one in entries if one.startswith("?? ")]
    # The name that a file had before stands by itself behind a rename: that is a change too.
    return len(untracked) < len(entries), tuple(untracked)


def _remote(urls: str) -> str:
    """The address of origin, or else of the first remote."""
    pairs = [line.partition(" ")[::2] for line in urls.splitlines()]
    found = next((url for name, url in pairs if name == "remote.origin.url"), pairs[0][1] if pairs else "")
    return without_credentials(found.strip())


def _headed(commit: str, diff: Answer | None, untracked: tuple[str, ...]) -> bytes:
    """The diff behind lines that `git apply` skips; empty when there is nothing to tell."""
    if diff is None and not untracked:
        return b""
    lines = [f"# changes since {commit}"]
    content = b"" if diff is None else diff.output
    if diff is not None and diff.is_cut:
        content = content[: content.rfind(b"\n") + 1]
        lines.append(f"# cut: only the first {len(content):,} bytes are here")
    shown = masked(content.decode("utf-8", "surrogateescape"))
    if shown.encode("utf-8", "surrogateescape") != content:
        lines.append("# what looks like a secret is masked by ***")
    lines += [f"# untracked, not kept: {name!r}" for name in untracked[:NAMED_FILES]]
    if len(untracked) > NAMED_FILES:
        lines.append(f"# and {len(untracked) - NAMED_FILES:,} more untracked")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace") + shown.encode("utf-8", "surrogateescape")
