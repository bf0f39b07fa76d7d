"""Materializers that die in the middle of a batch, that come and go, and that meet what they can't fold."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import fleetlog
import pytest
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest import replay

from tests.core.proxy import Proxy
from tests.deploy.cluster import Cluster, cluster
from tests.deploy.watching import partitions, ready
from tests.faults.fleet import Server, Writers, runs_everywhere
from tests.faults.oracle import judge, settled
from tests.faults.sizes import sized
from tests.waiting import reached

PARTITIONS = 4
WRITERS = 4
KILLS = sized(1, 100)
KILLS_IN_A_ROW = 5
TURNS = sized(2, 60)
SIZES = (
    {"FLEETLOG_MATERIALIZER_BATCH_ROWS": "2000"},
    {"FLEETLOG_MATERIALIZER_BATCH_ROWS": "400000", "FLEETLOG_MATERIALIZER_BATCH_WAIT_SECONDS": "0.3"},
    {"FLEETLOG_MATERIALIZER_BATCH_ROWS": "20000", "FLEETLOG_MATERIALIZER_BATCH_WAIT_SECONDS": "2"},
)
"""Who comes next forms its batches in another way."""


@pytest.fixture
def own(kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, PARTITIONS) as made:
        yield made


def in_the_middle(live: Warehouse) -> bool:
    """Whether the tables have points of a batch that is not declared to be in."""
    rows = live.select(
        Statement(
            "SELECT count() AS n FROM (SELECT part, max(off) AS last FROM points GROUP BY part) AS p LEFT JOIN"
            " (SELECT part, max(next_offset) AS next FROM applied WHERE topic = {topic:String} GROUP BY part) AS a"
            " USING (part) WHERE last >= next",
            {"topic": EVENTS},
        )
    )
    return int(rows.array("n")[0]) > 0


@pytest.mark.timeout(sized(600, 7_200))
def test_a_batch_whose_materializer_dies_in_the_middle_of_it_is_in_once(own: Cluster, writers: Writers) -> None:
    address = urlsplit(own.warehouse_url)
    network = own.stack.enter_context(Proxy(address.hostname or "", address.port or 9000))
    through = own.warehouse_url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{network.port}")
    sizes = cycle(SIZES)
    folding = Server(own, ("materializer",), 0, {"FLEETLOG_WAREHOUSE_URL": through, **next(sizes)})
    front = Server(own, ("gateway", "query"))
    ready(front.up)
    log, live = own.log(), own.warehouse()
    for run in runs_everywhere(PARTITIONS, WRITERS):
        writers.start(front.target, run, 0)

    def caught() -> bool:
        if not in_the_middle(live):
            return False
        network.stall()
        if in_the_middle(live):
            return True
        network.resume()
        return False

    for kill in range(KILLS):
        if kill % KILLS_IN_A_ROW == 0:
            # Those who read what they wrote get it in the end, for which somebody must live long enough.
            settled(log, live)
        reached(caught, 120, closely=True)
        folding.kill()
        network.cut()
        network.resume()
        folding.start(**next(sizes))
    promises = writers.finish()
    judge(promises, fleetlog.Client(front.target), own, log=log, live=live)


@pytest.mark.timeout(sized(600, 7_200))
def test_every_partition_goes_on_while_materializers_come_and_go(own: Cluster, writers: Writers) -> None:
    folding = [Server(own, ("materializer",))]
    front = Server(own, ("gateway", "query"))
    ready(front.up)
    log, live = own.log(), own.warehouse()
    for run in runs_everywhere(PARTITIONS, WRITERS):
        writers.start(front.target, run, 0)
    events = [Partition(EVENTS, number) for number in range(PARTITIONS)]

    def all_go_on() -> None:
        before = replay.applied(log, live)
        reached(lambda: all(replay.applied(log, live)[one] > before[one] for one in events), 120)

    all_go_on()
    for turn in range(TURNS):
        if turn % 2 == 0:
            folding.append(Server(own, ("materializer",)))
        elif turn % 4 == 1:
            # The oldest goes, and says so.
            assert folding.pop(0).up.stop(signal.SIGTERM) == 0
        else:
            folding.pop(0).kill()
        all_go_on()
    reached(lambda: sum(len(partitions(one.up)) for one in folding) == PARTITIONS + 1)
    promises = writers.finish()
    judge(promises, fleetlog.Client(front.target), own, log=log, live=live)
