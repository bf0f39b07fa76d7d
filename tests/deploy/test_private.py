"""What runs hold is for nobody else on the machine, also in a directory that was there before."""

from __future__ import annotations

import errno
import os
import signal
import stat
from pathlib import Path

import pytest
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
        for path in (
            data / "log" / "events.sqlite",
            data / "logs" / "fleetlog.log",
            data / "token.key",
            data / "webhooks.key",
        ):
            path.chmod(0o644)
        with up(data, "--port", "0") as server:
            found = modes(data)
            assert (server.stop(signal.SIGTERM), server.err) == (0, "")
    finally:
        os.umask(before)
    for name in (".", "log", "warehouse", "objects", "logs"):
        assert found[name] == 0o700, name
    for name, mode in found.items():
        if name.startswith(("log/", "logs/", "token", "webhooks")):
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


def test_what_is_no_server_s_is_left_as_it_is(tmp_path: Path) -> None:
    # As when somebody gives a home or a directory of the system: its logs are not ours, and links lead elsewhere.
    data, others = tmp_path / "home", tmp_path / "others"
    for path in (data / "log", data / "photos", others):
        path.mkdir(parents=True)
    for path in (data / "log" / "syslog", data / "photos" / "cat.jpg", data / "notes.txt"):
        path.write_bytes(b"")
    for path in (data, *data.rglob("*"), others):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (data / "objects").symlink_to(others)
    before = modes(data), modes(others)
    assert make_private(data) == ""
    assert (modes(data), modes(others)) == before


def test_one_that_can_t_be_made_private_is_told_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    # As on a volume of somebody else's; root may do it everywhere.
    monkeypatch.setattr(Path, "chmod", refuse)
    said = make_private(tmp_path)
    assert said.startswith(f"others on this machine may read {tmp_path}, since {tmp_path} can't be made private: Oper")
    assert said.endswith("or give another --data")
