"""Kafka goes away, or is there and says nothing: nobody is told that anything is durable, and nothing grows."""

from __future__ import annotations

import time
from pathlib import Path

import fleetlog
import grpc
import psutil
import pytest

from tests.core.log.kafka.own_topics import settings_for
from tests.deploy.cluster import cluster
from tests.deploy.watching import get, ready
from tests.faults.fleet import Server, Writers, runs_everywhere
from tests.faults.floods import refused
from tests.faults.kafka_network import kafka_network
from tests.faults.oracle import judge, partitions
from tests.faults.sizes import sized
from tests.waiting import reached

PARTITIONS, WRITERS = 2, 2
AWAY_SECONDS = sized(0, 300)
DELIVERY_SECONDS = 3.0
MOST_GROWTH_BYTES = 300 << 20


@pytest.mark.timeout(sized(600, 3_600))
def test_what_kafka_does_not_have_is_not_acknowledged(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path, writers: Writers
) -> None:
    with (
        kafka_network(settings_for(kafka_server)) as network,
        cluster(kafka_server, clickhouse_server, s3_server, tmp_path, PARTITIONS) as own,
    ):
        own.environment["FLEETLOG_LOG_URL"] = f"kafka://{network.bootstrap}/{own.kafka.prefix}"
        own.environment["FLEETLOG_LOG_DELIVERY_SECONDS"] = str(DELIVERY_SECONDS)
        folding, front = Server(own, ("materializer",)), Server(own, ("gateway", "query"))
        ready(front.up, folding.up)
        log, live = own.log(), own.warehouse()
        for run in runs_everywhere(PARTITIONS, WRITERS):
            writers.start(front.target, run, 0)
        memory = psutil.Process(front.up.process.pid).memory_info
        for begin in (network.stall, network.end):
            writers.advance()
            began, before = time.monotonic(), memory().rss
            begin()
            ends = [log.next_offset(partition) for partition in partitions(log)]
            while True:
                answers, code, retry_seconds = refused(front)
                assert (answers, code) == (0, grpc.StatusCode.UNAVAILABLE)
                assert retry_seconds > 0
                assert memory().rss - before < MOST_GROWTH_BYTES
                if time.monotonic() - began >= AWAY_SECONDS:
                    break
            reached(lambda: get(front.up, "readyz")[0] == 503)
            assert get(front.up, "healthz")[0] == 200
            # What is in the tables can be read all the same.
            assert fleetlog.Client(front.target).search_runs(experiments=["faults"])
            assert [log.next_offset(partition) for partition in partitions(log)] == ends
            network.mend()
            writers.advance()
        promises = writers.finish()
        judge(promises, fleetlog.Client(front.target), own, log=log, live=live)
