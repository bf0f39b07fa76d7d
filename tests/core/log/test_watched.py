"""A log whose disk takes nothing more: known at once, and known to be over when nobody writes."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
from fleetlog_core.log.port import EVENTS, LogUnavailable
from fleetlog_core.log.sqlite import SqliteLog
from fleetlog_core.log.watched import QUIET_SECONDS, WatchedLog
from fleetlog_core.outages import Outage

from tests.own_processes import in_fresh_process


def _full(path: Path) -> None:
    now = 0.0
    writes = Outage("the event log takes no writes", lambda: now)
    log = WatchedLog(SqliteLog(path / "log.sqlite"), writes)
    log.append(EVENTS, b"run", b"first").result()
    assert log.complaint() == ""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    for _ in range(3):
        with pytest.raises(LogUnavailable) as failed:
            log.append(EVENTS, b"run", b"second").result()
        assert failed.value.shortage in ("its disk is full", "its disk fails")
        assert log.complaint().startswith("the event log takes no writes: the log can't be written: ")
    now += QUIET_SECONDS
    assert log.complaint() != ""
    with pytest.raises(LogUnavailable):
        log.check_writable()
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    # It failed just now, so nothing is tried.
    assert log.complaint() != ""
    now += QUIET_SECONDS
    assert log.complaint() == ""
    assert log.append(EVENTS, b"run", b"third").result().offset == 1
    log.close()


def test_a_log_that_can_t_be_written_complains_until_it_can(tmp_path: Path) -> None:
    in_fresh_process(_full, tmp_path)
