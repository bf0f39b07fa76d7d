"""A trainer is killed: its run is LOST to whoever looks, comes back with the next process, and ends as that does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import fleetlog

from tests.client.processes import command, environment, wait_for
from tests.deploy.processes import fleetlog as cli
from tests.deploy.processes import running
from tests.ports import free_port

STARTED = """
run = fleetlog.start_run("lost", run_id=os.environ["RUN"], resume=os.environ["RESUME"] == "1")
run.log({"x": 1.0})
run.flush()
print("at work", flush=True)
sys.stdin.read()
"""


def trainer(path: Path, target: str, run: str, *, resume: bool) -> subprocess.Popen[str]:
    """A process that is at work on the run when this returns, and ends well when its input does."""
    made = subprocess.Popen(
        command(STARTED, path), env={**environment(target), "RUN": run, "RESUME": str(int(resume))},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert made.stdout is not None
    assert made.stdout.readline() == "at work\n"
    return made


def test_a_run_whose_trainer_was_killed_is_lost_until_it_is_resumed(tmp_path: Path) -> None:
    port, run = free_port(), "0190a3b4" + os.urandom(12).hex()
    settings = {"FLEETLOG_MATERIALIZER_LOST_SECONDS": "2"}
    with running("up", "--data", str(tmp_path / "data"), "--port", str(port), environment=settings) as up:
        client = fleetlog.Client(up.target)

        def state_is(word: str) -> Callable[[list[fleetlog.RunView]], bool]:
            return lambda runs: bool(runs) and runs[0].state == word

        first = trainer(tmp_path, up.target, run, resume=False)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        (lost,) = wait_for(lambda: list(client.get_runs([run])), state_is("LOST"), 120.0)
        assert lost.state == "LOST"
        assert lost.end_time is not None
        assert [one.id for one in client.search_runs("attributes.status = 'LOST'", experiments=["lost"])] == [run]
        (listed,) = cli(("runs", "search", "state = 'LOST'", "-e", "lost", "--target", up.target))
        assert "LOST" in listed.out, listed.err
        second = trainer(tmp_path, up.target, run, resume=True)
        second.communicate("")
        (ended,) = wait_for(lambda: list(client.get_runs([run])), state_is("FINISHED"), 120.0)
        assert ended.state == "FINISHED"
        client.close()
