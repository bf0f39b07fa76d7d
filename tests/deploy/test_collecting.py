"""`fleetlog artifacts collect-orphans` over a data directory."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import fleetlog as client
import pytest

from tests.deploy.processes import fleetlog, up

COLLECT = ("artifacts", "collect-orphans")
MONTH_SECONDS = 30 * 86_400
LARGE = b"x" * (2 << 20)
ORPHAN = b"an upload whose client died"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A server's, which is stopped: a large artifact of a run beside an object that no run has, all of them old."""
    (tmp_path / "model.bin").write_bytes(LARGE)
    data = tmp_path / "data"
    with up(data, "--port", "0") as server:
        with client.start_run("collected", target=server.target) as run:
            run.log_artifact(tmp_path / "model.bin")
        client.flush(target=server.target, level="applied")
        assert server.stop(signal.SIGTERM) == 0
    kept = stored(data, LARGE)
    orphan = kept.with_name(hashlib.sha256(ORPHAN).hexdigest())
    orphan.write_bytes(ORPHAN)
    for path in (kept, orphan):
        os.utime(path, (time.time() - MONTH_SECONDS,) * 2)
    return data


def stored(data: Path, content: bytes) -> Path:
    (found,) = (path for path in (data / "objects").rglob("*") if path.is_file() and path.read_bytes() == content)
    return found


def contents(data: Path) -> set[bytes]:
    return {path.read_bytes() for path in (data / "objects").rglob("*") if path.is_file()} & {LARGE, ORPHAN}


def test_an_orphan_is_shown_then_removed_and_what_a_run_has_stays(data: Path) -> None:
    (shown,) = fleetlog((*COLLECT, "--data", data, "--dry-run"))
    assert (shown.code, shown.out) == (
        0, f"would remove 1 of 2 objects, {len(ORPHAN)} bytes: no run has them, and they are older than 14 days\n",
    )  # fmt: skip
    assert contents(data) == {LARGE, ORPHAN}
    (done,) = fleetlog((*COLLECT, "--data", data))
    assert (done.code, done.out) == (0, f"removed 1 of 2 objects, {len(ORPHAN)} bytes\n")
    assert contents(data) == {LARGE}


def test_nothing_is_removed_by_a_log_that_knows_none_of_it(data: Path, tmp_path: Path) -> None:
    """As when a cluster's store is set beside another log."""
    with up(tmp_path / "another", "--port", "0") as server:
        assert server.stop(signal.SIGTERM) == 0
    another = {"FLEETLOG_OBJECTS_URL": f"folder:{data / 'objects'}"}
    (refused,) = fleetlog((*COLLECT, "--data", tmp_path / "another"), environment=another)
    assert refused.code == 1
    assert "the log refers to none of the 2 old objects" in refused.err
    assert contents(data) == {LARGE, ORPHAN}
    (forced,) = fleetlog((*COLLECT, "--data", tmp_path / "another", "--force", "--dry-run"), environment=another)
    assert (forced.code, forced.out.startswith("would remove 2 of 2 objects")) == (0, True)
    assert contents(data) == {LARGE, ORPHAN}
    (half,) = fleetlog(COLLECT, environment=another)
    assert (half.code, "log.url is not set" in half.err) == (2, True)
    assert contents(data) == {LARGE, ORPHAN}


def test_a_server_that_runs_and_a_directory_without_a_log_are_named(tmp_path: Path) -> None:
    (nowhere,) = fleetlog((*COLLECT, "--data", tmp_path / "nowhere"))
    assert (nowhere.code, "there is no log in" in nowhere.err) == (2, True)
    assert not (tmp_path / "nowhere").exists()
    with up(tmp_path / "data", "--port", "0") as server:
        (held,) = fleetlog((*COLLECT, "--data", tmp_path / "data"))
        assert held.code == 1
        assert str(server.process.pid) in held.err
