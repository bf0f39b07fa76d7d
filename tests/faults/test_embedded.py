"""`fleetlog up` killed again and again under writers that read what they wrote: one process with everything in it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import fleetlog
import pytest

from tests.deploy.processes import Up, running
from tests.deploy.processes import fleetlog as command
from tests.faults.fleet import ROOT, Writers, runs_everywhere
from tests.faults.oracle import judge_reads
from tests.faults.sizes import sized
from tests.ports import free_port

WRITERS, KILLS = sized(4, 8), sized(3, 120)
RANKS = 2
PARTITIONS = 4
ORDER = """
import sys
from pathlib import Path
from fleetlog_core.warehouse.chdb import ChdbWarehouse
from tests.faults.oracle import judge_order
judge_order(ChdbWarehouse(Path(sys.argv[1])))
"""
"""In a process of its own: chDB opens one directory a process."""


@pytest.mark.timeout(sized(600, 7_200))
def test_one_process_with_everything_in_it_is_killed_and_nothing_is_lost(tmp_path: Path, writers: Writers) -> None:
    data, port = tmp_path / "data", free_port()

    def started(stack: ExitStack) -> Up:
        err = stack.enter_context((tmp_path / "up.log").open("a"))
        return stack.enter_context(running("up", "--data", str(data), "--port", str(port), err=err))

    with ExitStack() as stack:
        server = started(stack)
        for run in runs_everywhere(PARTITIONS, WRITERS // RANKS):
            for rank in range(RANKS):
                writers.start(server.target, run, rank)
        for _ in range(KILLS):
            writers.advance()
            server.process.kill()
            server.process.wait()
            server = started(stack)
        writers.advance()
        promises = writers.finish()
        judge_reads(promises, fleetlog.Client(server.target))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    (verified,) = command(("replay", "--verify", "--data", data))
    assert verified.code == 0, verified.out + verified.err
    ordered = subprocess.run(
        [sys.executable, "-c", ORDER, str(data / "warehouse")], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ordered.returncode == 0, ordered.stderr
