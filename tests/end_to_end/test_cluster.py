"""Separate processes over Kafka, ClickHouse and S3: any of them may die, and nothing is lost or twice."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fleetlog
import pytest
from fleetlog_ingest import replay

from tests.deploy.cluster import cluster
from tests.deploy.watching import partitions, ready
from tests.ports import free_port
from tests.waiting import reached

STEPS, ROUNDS = 2_000, 6
LARGE = os.urandom(3 << 20)


@pytest.mark.timeout(300)
def test_parts_that_die_lose_nothing_and_double_nothing(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path) as own:
        # Side by side: both materializers find that there are no tables.
        with ThreadPoolExecutor(5) as pool:
            starting = [pool.submit(own.serve, "materializer") for _ in range(2)]
            starting += [pool.submit(own.serve, "gateway") for _ in range(1)]
            starting += [pool.submit(own.serve, "query")]
            folding, other, west, reading = (one.result() for one in starting)
        port = free_port()
        east = own.serve("gateway", "--port", str(port))
        ready(folding, other, west, east, reading)
        reached(
            lambda: (
                len(partitions(folding)) + len(partitions(other)) == 5
                and min(len(partitions(folding)), len(partitions(other))) > 0
            )
        )

        shared = fleetlog.start_run("cluster", "shared", rank=0, target=west.target)
        runs = [
            fleetlog.start_run("cluster", f"{place} {number}", params={"number": number}, target=server.target)
            for place, server in (("west", west), ("east", east))
            for number in range(3)
        ]
        runs += [shared, fleetlog.start_run("cluster", run_id=shared.id, rank=1, target=east.target)]
        large = tmp_path / "large.bin"
        large.write_bytes(LARGE)

        def write(run: fleetlog.Run, first: int) -> None:
            for step in range(first, first + STEPS):
                run.log({"x": float(step), "y": 1.0}, step=step)

        for round_ in range(ROUNDS):
            writing = [threading.Thread(target=write, args=(run, round_ * STEPS)) for run in runs]
            for thread in writing:
                thread.start()
            if round_ == 2:
                folding.process.kill()
            if round_ == 3:
                east.process.kill()
                east.process.wait()
                east = own.serve("gateway", "--port", str(port))
            if round_ == 4:
                runs[0].log_artifact(large)
                folding = own.serve("materializer")
            for thread in writing:
                thread.join()
        for run in runs:
            run.finish(timeout=90)

        reader = fleetlog.Client(reading.target)
        total = ROUNDS * STEPS
        reached(
            lambda: all(
                view.state == "FINISHED" and view.summary("x").count == total * (2 if view.name == "shared" else 1)
                for view in reader.search_runs(experiments=["cluster"], summaries=True)
            ) and len(reader.search_runs(experiments=["cluster"])) == 7,
            90,
        )  # fmt: skip
        assert [experiment.name for experiment in reader.experiments()] == ["Default", "cluster"]
        for run in runs[:6]:
            for key in ("x", "y"):
                assert reader.read_metric(run.id, key).steps.tolist() == list(range(total))
        assert sorted(reader.read_metric(shared.id, "x").steps.tolist()) == sorted([*range(total)] * 2)
        found = reader.search_runs("params.number = 1 AND metrics.x > 10", experiments=["cluster"])
        assert sorted(view.name for view in found) == ["east 1", "west 1"]
        (tmp_path / "back").mkdir()
        assert reader.download_artifact(runs[0].id, "large.bin", tmp_path / "back").read_bytes() == LARGE

        # Everyone goes as asked, and the log alone gives the same tables.
        for server in (west, east):
            assert server.stop(signal.SIGTERM) == 0
        # Gateways that go write the heartbeats that they gathered.
        log, tables, fresh = own.log(), own.warehouse(), own.fresh_warehouse()
        reached(
            lambda: all(log.next_offset(one) == applied for one, applied in replay.applied(log, tables).items())
        )  # fmt: skip
        for server in (folding, other, reading):
            assert server.stop(signal.SIGTERM) == 0
        live = replay.checksums(tables)
        replay.rebuild(log, fresh, own.objects())
        report = replay.compare(live, replay.checksums(fresh))
        assert report.same, report.differences
