"""However a process ends, its run ends rightly, in bounded time, and what was lost is said."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import fleetlog
import pytest

from tests.client.processes import command, environment, train, wait_for
from tests.ports import free_port

BOUND_SECONDS = 40
"""10 s for the last deliveries, and what a busy machine takes to end a process."""
BARE = "run = fleetlog.start_run('exits', tags={'case': CASE})\nrun.log({'x': 1.0}, step=1)\n"


@pytest.mark.parametrize(
    ("case", "ending", "code", "state"),
    [
        ("end", "", 0, "FINISHED"),
        ("sys.exit()", "sys.exit()", 0, "FINISHED"),
        ("exception", "raise RuntimeError('x')", 1, "FAILED"),
        ("finish without waiting", "run.finish(wait=False)", 0, "FINISHED"),
        ("block", "with run: pass", 0, "FINISHED"),
        ("exception in a block", "with run: raise RuntimeError('x')", 1, "FAILED"),
        ("sys.exit(3) in a block", "with run: sys.exit(3)", 3, "FAILED"),
        ("Ctrl-C in a block", "with run: raise KeyboardInterrupt", -signal.SIGINT, "KILLED"),
        ("Ctrl-C", "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)", -signal.SIGINT, "KILLED"),
        ("SIGTERM", "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", -signal.SIGTERM, "KILLED"),
    ],
)
def test_the_state_says_how_it_ended(
    embedded_target: str, tmp_path: Path, case: str, ending: str, code: int, state: str
) -> None:
    done = train(f"CASE = {case!r}\n{BARE}{ending}\n", tmp_path, embedded_target)
    assert done.returncode == code, done.stderr
    client = fleetlog.Client(embedded_target)
    (found,) = wait_for(
        lambda: client.search_runs(f"tags.case = '{case}'", experiments=["exits"]),
        lambda runs: [run.state for run in runs] not in ([], ["RUNNING"]),
    )
    assert found.state == state
    assert found.metrics == {"x": 1.0}


def test_os_exit_leaves_no_hang(embedded_target: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    assert train(f"CASE = 'os._exit'\n{BARE}os._exit(7)", tmp_path, embedded_target).returncode == 7
    assert time.monotonic() - begun < 10


def test_without_a_server_the_exit_is_bounded_and_says_what_is_lost(tmp_path: Path) -> None:
    script = f"CASE = 'away'\n{BARE}"
    script += "for step in range(99): run.log({'x': 1.0}, step=step)\nprint(time.time())"
    done = train(script, tmp_path, f"127.0.0.1:{free_port()}")
    ended = time.time()
    assert done.returncode == 0
    assert ended - float(done.stdout.splitlines()[-1]) < BOUND_SECONDS
    assert "goes on without a server" in done.stderr
    assert "100 points for" in done.stderr
    assert "were not delivered and are lost" in done.stderr


def test_sigterm_without_a_server_is_bounded(tmp_path: Path) -> None:
    script = f"CASE = 'away'\n{BARE}print('ready', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen(
        command(script, tmp_path), env=environment(f"127.0.0.1:{free_port()}"), stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND_SECONDS) == -signal.SIGTERM


def test_a_handler_of_ones_own_is_left_alone(embedded_target: str, tmp_path: Path) -> None:
    script = "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(5))\nCASE = 'own handler'\n"
    done = train(script + BARE + "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", tmp_path, embedded_target)
    assert done.returncode == 5
