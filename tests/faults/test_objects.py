"""The object store goes away: events go on, artifacts wait, and none shows before its bytes are there and right."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import fleetlog
import pytest
from fleetlog_core.objects.port import ObjectName
from fleetlog_ingest import orphans, replay

from tests.core.proxy import Proxy
from tests.deploy.cluster import cluster
from tests.deploy.watching import ready
from tests.faults.fleet import Server
from tests.faults.oracle import dead_letters, settled
from tests.faults.sizes import sized
from tests.waiting import reached

LARGE_BYTES = sized(3 << 20, 100 << 20)
STEPS = sized(200, 20_000)
MONTH_MILLIS = 30 * 86_400_000


@pytest.mark.timeout(sized(600, 1_800))
def test_artifacts_wait_for_their_store_and_nothing_else_does(
    kafka_server: str, clickhouse_server: str, s3_server: str, tmp_path: Path
) -> None:
    files = {"small.bin": os.urandom(1_000), "large.bin": os.urandom(LARGE_BYTES)}
    with cluster(kafka_server, clickhouse_server, s3_server, tmp_path, 1) as own:
        address = urlsplit(s3_server)
        network = own.stack.enter_context(Proxy(address.hostname or "", address.port or 80))
        own.environment["FLEETLOG_OBJECTS_URL"] = own.environment["FLEETLOG_OBJECTS_URL"].replace(
            f"{address.hostname}:{address.port}", f"127.0.0.1:{network.port}"
        )
        front = Server(own, ("gateway", "query", "materializer"))
        ready(front.up)
        log, live, reader = own.log(), own.warehouse(), fleetlog.Client(front.target)
        network.is_down = True
        network.cut()

        run = fleetlog.start_run("objects", target=front.target)
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
            run.log_artifact(tmp_path / name)
        for step in range(STEPS):
            run.log({"x": float(step)}, step=step)

        def shown() -> set[str]:
            return {artifact.path for artifact in reader.list_artifacts(run.id)}

        reached(lambda: reader.read_metric(run.id, "x").steps.tolist() == list(range(STEPS)), 120)
        assert shown() == set()
        assert [problem.reason for problem in reader.get_run(run.id).problems] == ["ARTIFACT_PENDING"]
        assert dead_letters(log) == []

        # It is back, and the connection breaks when nearly all of the large one was sent.
        network.cut_after_sent = almost = network.sent + LARGE_BYTES * 99 // 100
        network.is_down = False
        reached(lambda: network.sent > almost, 120)
        assert "large.bin" not in shown()
        network.cut_after_sent = None
        run.finish(timeout=120)
        settled(log, live)
        reached(lambda: shown() == set(files), 120)
        assert reader.get_run(run.id).problems == []
        back = tmp_path / "back"
        back.mkdir()
        for name, content in files.items():
            assert reader.download_artifact(run.id, name, back / name).read_bytes() == content

        # Bytes whose event never came go some day; the others stay.
        objects, nobody = own.objects(), os.urandom(100)
        left = ObjectName("default", bytes.fromhex(run.id), hashlib.sha256(nobody).digest())
        objects.put(left, len(nobody), [nobody])
        swept = orphans.collect(log, objects, int(time.time() * 1000) + MONTH_MILLIS)
        assert swept.removed == 1
        assert objects.size(left) is None
        assert reader.download_artifact(run.id, "small.bin", back / "again").read_bytes() == files["small.bin"]
        fresh = own.fresh_warehouse()
        replay.rebuild(log, fresh, objects)
        report = replay.verify(log, live, fresh)
        assert report.same, report.differences
