"""Brokers that die: one of three is missed by nobody, and what only one of them has is durable to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core.log.kafka.settings import KafkaSettings
from fleetlog_core.log.kafka.topics import administer
from fleetlog_core.log.port import EVENTS, TOPICS, EventLog, Partition
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_ingest import replay
from kafka import KafkaAdminClient

from tests.deploy.cluster import cluster
from tests.deploy.watching import ready
from tests.faults.fleet import Server, Writers, runs_everywhere
from tests.faults.floods import refused
from tests.faults.oracle import dead_letters, judge, partitions
from tests.faults.sizes import sized
from tests.servers import Brokers
from tests.waiting import reached

PARTITIONS, WRITERS = 4, 4
DEATHS = sized(1, 18)
"""Times that a broker is killed, one broker after the other."""
PATIENCE_SECONDS = 180.0


@contextmanager
def dead(brokers: Brokers, *numbers: int) -> Iterator[None]:
    """Without these brokers."""
    with ExitStack() as after:
        for number in numbers:
            after.callback(brokers.start, number)
            brokers.kill(number)
        yield


def in_sync(kafka: KafkaSettings) -> bool:
    """Whether every replica of the log has all that its leader has."""

    def look(admin: KafkaAdminClient) -> bool:
        found = admin.describe_topics([kafka.topic(topic) for topic in TOPICS])
        return all(
            len(partition["isr_nodes"]) == kafka.replication for topic in found for partition in topic["partitions"]
        )

    return administer(kafka, look)


def all_go_on(log: EventLog, live: Warehouse, writers: Writers) -> None:
    """Wait until every writer has more acknowledged, and every partition with runs more folded, than before."""
    before = replay.applied(log, live)
    writers.advance()
    events: list[Partition] = partitions(log, EVENTS)
    reached(lambda: all(replay.applied(log, live)[one] > before[one] for one in events), PATIENCE_SECONDS)


@pytest.mark.brokers
@pytest.mark.timeout(sized(900, 7_200))
def test_every_acknowledged_event_is_there_once_whichever_broker_dies(
    kafka_brokers: Brokers, clickhouse_server: str, s3_server: str, tmp_path: Path, writers: Writers
) -> None:
    with cluster(kafka_brokers.bootstrap, clickhouse_server, s3_server, tmp_path, PARTITIONS) as own:
        _folding, front = Server(own, ("materializer",)), Server(own, ("gateway", "query"))
        ready(front.up)
        log, live = own.log(), own.warehouse()
        for run in runs_everywhere(PARTITIONS, WRITERS):
            writers.start(front.target, run, 0)
        all_go_on(log, live, writers)
        for death in range(DEATHS):
            with dead(kafka_brokers, 1 + death % 3):
                # Two of three are enough to write and to fold.
                all_go_on(log, live, writers)
            reached(lambda: in_sync(own.kafka), PATIENCE_SECONDS)
            all_go_on(log, live, writers)
        # What one broker alone could lose is promised to nobody.
        with dead(kafka_brokers, 1, 2):
            answers, code, retry_seconds = refused(front)
            assert (answers, code) == (0, grpc.StatusCode.UNAVAILABLE)
            assert retry_seconds > 0
        all_go_on(log, live, writers)
        promises = writers.finish()
        judge(promises, fleetlog.Client(front.target), own, log=log, live=live)
        assert dead_letters(log) == []
