"""A server that is told to rest for a minute after each small batch, while nobody reads."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import fleetlog

from tests.deploy.processes import running

SECONDS = 45.0
"""Less than the pause: what is there by then was not waited out."""


def test_whoever_waits_or_reads_ends_the_pause_between_small_batches(tmp_path: Path) -> None:
    rest = {"FLEETLOG_MATERIALIZER_UNREAD_REST_SECONDS": "60"}
    with running("up", "--data", str(tmp_path / "data"), "--port", "0", environment=rest) as server:
        client = fleetlog.Client(server.target)
        run = fleetlog.start_run(experiment="rest", target=server.target)
        for step in range(3):
            run.log({"loss": 0.5}, step=step)
            run.flush(timeout=SECONDS, level="applied")

        # One that logs and does not wait, and another one that knows nothing of it.
        run.log({"loss": 0.5}, step=3)
        run.flush(timeout=SECONDS)
        deadline = time.monotonic() + SECONDS
        while client.get_run(run.id).summary("loss").count < 4:
            assert time.monotonic() < deadline, "a read did not end the pause"
        run.finish()
        run.flush(timeout=SECONDS, level="applied")
        assert server.stop(signal.SIGTERM) == 0
