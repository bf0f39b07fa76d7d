from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fleetlog_core.log.port import EVENTS, LogUnavailable, Partition
from fleetlog_core.log.sqlite import SqliteLog

WRITER = """
import sys
from pathlib import Path
from fleetlog_core.log.sqlite import SqliteLog
log = SqliteLog(Path(sys.argv[1]))
n = 0
while True:
    print(log.append("events", b"run", str(n).encode()).result().offset, flush=True)
    n += 1
"""


def test_another_process_is_told_who_holds_it(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.sqlite")
    with pytest.raises(LogUnavailable, match=f"held by process {os.getpid()}"):
        SqliteLog(tmp_path / "log.sqlite")
    log.close()
    SqliteLog(tmp_path / "log.sqlite").close()


def test_partitions_stay_as_they_were_made(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "log.sqlite", {EVENTS: 3}).close()
    log = SqliteLog(tmp_path / "log.sqlite")
    assert log.partitions(EVENTS) == 3
    log.close()
    with pytest.raises(ValueError, match="can't be changed"):
        SqliteLog(tmp_path / "log.sqlite", {EVENTS: 4})


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "log.sqlite")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        last = -1
        for _ in range(50):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        log = SqliteLog(tmp_path / "log.sqlite")
        records = log.read(Partition(EVENTS, 0), 0, max_bytes=1 << 30)
        assert len(records) > last
        assert [record.offset for record in records] == list(range(len(records)))
        log.close()
