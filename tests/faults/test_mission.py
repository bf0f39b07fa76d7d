"""The whole way with everything dying on it: many writers, some gateways, and several processes that fold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fleetlog
import pytest

from tests.deploy.cluster import cluster
from tests.deploy.watching import ready
from tests.faults.fleet import Server, Writers, addresses, runs_everywhere
from tests.faults.oracle import dead_letters, judge
from tests.faults.sizes import sized
from tests.ports import free_port

WRITERS, GATEWAYS, MATERIALIZERS = sized(8, 32), sized(2, 4), sized(2, 3)
ROUNDS = sized(1, 10)
RANKS = 2
PARTITIONS = 4


@pytest.mark.timeout(sized(600, 3_600))
def test_every_acknowledged_point_is_there_once_whoever_was_killed(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path, writers: Writers
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, PARTITIONS) as own, ThreadPoolExecutor() as pool:
        folding_ = [pool.submit(Server, own, ("materializer",)) for _ in range(MATERIALIZERS)]
        fronts_ = [
            pool.submit(Server, own, ("gateway", "query"), port) for port in [free_port() for _ in range(GATEWAYS)]
        ]
        folding, fronts = [one.result() for one in folding_], [one.result() for one in fronts_]
        ready(*(one.up for one in fronts))
        for number, run in enumerate(runs_everywhere(PARTITIONS, WRITERS // RANKS)):
            nearest = number % GATEWAYS
            for rank in range(RANKS):
                writers.start(addresses(*fronts[nearest:], *fronts[:nearest]), run, rank)
        writers.advance()
        for round_ in range(ROUNDS):
            front, folder = fronts[round_ % GATEWAYS], folding[round_ % MATERIALIZERS]
            front.kill()
            writers.advance()
            folder.kill()
            writers.advance()
            front.start()
            folder.start()
            writers.advance()
        promises = writers.finish()
        log, live = own.log(), own.warehouse()
        judge(promises, fleetlog.Client(fronts[0].target), own, log=log, live=live)
        assert dead_letters(log) == []
