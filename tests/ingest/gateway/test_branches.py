from __future__ import annotations

import os

from fleetlog_core.log.partitions import partition_of
from fleetlog_ingest.gateway.branches import in_partition


def test_a_rewind_gets_an_id_of_its_sources_partition() -> None:
    for count in (1, 3, 64, 1_000):
        for _ in range(20):
            run_id = os.urandom(16)
            number = partition_of(os.urandom(16), count)
            found = in_partition(run_id, number, count)
            assert partition_of(found, count) == number
            assert found[:12] == run_id[:12]
            assert in_partition(run_id, number, count) == found, "asked again, it is the same"


def test_an_id_that_is_of_the_partition_stays() -> None:
    run_id = b"\xff" * 16
    assert in_partition(run_id, partition_of(run_id, 7), 7) == run_id
    assert len(in_partition(run_id, (partition_of(run_id, 7) + 1) % 7, 7)) == 16
