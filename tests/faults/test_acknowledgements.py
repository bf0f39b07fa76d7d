"""Acknowledgements that never arrive, of what the log has: it is sent again, and shows once."""

from __future__ import annotations

from pathlib import Path

import fleetlog
import pytest

from tests.core.proxy import Proxy
from tests.deploy.cluster import cluster
from tests.deploy.watching import ready, told
from tests.faults.fleet import Server, Writers, runs_everywhere
from tests.faults.oracle import judge, repeats
from tests.faults.sizes import sized
from tests.ports import free_port
from tests.waiting import reached

WRITERS, ROUNDS = sized(3, 8), sized(2, 50)
PARTITIONS = 2


@pytest.mark.timeout(sized(600, 3_600))
def test_what_the_log_has_and_nobody_heard_of_shows_once(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path, writers: Writers
) -> None:
    port = free_port()
    with (
        cluster(kafka_server, clickhouse_server, s3_server, tmp_path, PARTITIONS) as own,
        Proxy("127.0.0.1", port) as network,
    ):
        folding, front = Server(own, ("materializer",)), Server(own, ("gateway", "query"), port)
        ready(front.up)
        log, live = own.log(), own.warehouse()
        runs = runs_everywhere(PARTITIONS, WRITERS)
        for run in runs:
            writers.start(f"127.0.0.1:{network.port}", run, 0)
        for round_ in range(ROUNDS):
            for is_killed in (False, True):
                writers.advance()
                network.lost = lost = bytearray()
                # Answers come when the log has it: one for each of the runs is lost.
                reached(lambda lost=lost: all(bytes.fromhex(run) in lost for run in runs))  # type: ignore[misc]
                if is_killed:
                    front.kill()
                network.cut()
                network.lost = None
                if is_killed:
                    front.start()
            writers.advance()
            assert repeats(log) > round_ * WRITERS, "what had no answer was not sent again"
        promises = writers.finish()
        judge(promises, fleetlog.Client(front.target), own, log=log, live=live)
        # What was passed over is counted, all of it.
        assert told(folding.up)["fleetlog_duplicates_total",] == repeats(log)
