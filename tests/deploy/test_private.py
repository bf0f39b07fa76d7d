"""What runs hold is for nobody else on the machine, also in a directory that was there before."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

from fleetlog_deploy.private import make_private

from tests.deploy.processes import up


def modes(data: Path) -> dict[str, int]:
    return {
        path.relative_to(data).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (data, *data.rglob("*"))
        if not path.is_symlink()
    }


def test_a_data_directory_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    data, before = tmp_path / "data", os.umask(0o022)
    try:
        with up(data, "--port", "0") as server:
            assert server.stop(signal.SIGTERM) == 0
        for path in (data, data / "log", data / "warehouse", data / "objects", data / "logs"):
            path.chmod(0o755)
        for path in (data / "log" / "events.sqlite", data / "logs" / "fleetlog.log", data / "token.key"):
            path.chmod(0o644)
        with up(data, "--port", "0") as server:
            found = modes(data)
            assert (server.stop(signal.SIGTERM), server.err) == (0, "")
    finally:
        os.umask(before)
    for name in (".", "log", "warehouse", "objects", "logs"):
        assert found[name] == 0o700, name
    for name, mode in found.items():
        if name.startswith(("log/", "logs/", "token")):
            assert mode == 0o600, name


def test_a_new_one_has_nothing_in_it_for_others(tmp_path: Path) -> None:
    data, before = tmp_path / "data", os.umask(0)
    try:
        with up(data, "--port", "0") as server:
            found = modes(data)
            assert server.stop(signal.SIGTERM) == 0
    finally:
        os.umask(before)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}


def test_links_are_left_as_they_are(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir(mode=0o755)
    others.chmod(0o755)
    data = tmp_path / "data"
    data.mkdir()
    (data / "objects").symlink_to(others)
    assert make_private(data) == ""
    assert stat.S_IMODE(others.stat().st_mode) == 0o755


def test_one_that_can_t_be_made_private_is_told_with_its_mend() -> None:
    # A directory of the kernel, which takes no other mode from anybody.
    said = make_private(Path("/proc/self/task"))
    assert said.startswith("others on this machine may read /proc/self/task, since ")
    assert "Operation not permitted" in said
    assert "give another --data" in said
