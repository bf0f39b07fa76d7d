"""From one process to servers: the same log gives the same tables, rows and objects in either."""

from __future__ import annotations

import itertools
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.s3 import S3Store
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement
from fleetlog_ingest import replay
from fleetlog_proto.v1 import event_pb2

from tests.core.objects.stores import bucket, direct, name_of, s3
from tests.core.warehouse.engines import clickhouse
from tests.ingest.materializer.builders import frame, in_own_process, start
from tests.ingest.materializer.history import write
from tests.ingest.materializer.warehouses import drain, opened

SCHEMA = Statement(
    "SELECT concat(table, '.', name, ' ', type) AS made FROM system.columns WHERE database = currentDatabase()"
    " ORDER BY table, position"
)


def _log() -> MemoryLog:
    """A log that has the same records each time, to the millisecond."""
    moments = itertools.count(1_700_000_000)
    log = MemoryLog(clock=lambda: float(next(moments)))
    write(log, 5, 200)
    content = b"weights"
    logged = event_pb2.ArtifactLogged(
        path="model/weights.bin", size_bytes=len(content), sha256=name_of(content).sha256, content=content
    )
    value = frame(start(1), event_pb2.Event(sequence=2, artifact_logged=logged))
    log.append(EVENTS, value.run_id, value.SerializeToString()).result(timeout=30)
    return log


def _embedded(path: Path) -> tuple[dict[str, replay.TableSum], dict[Partition, int], list[str]]:
    log, warehouse = _log(), opened(path)
    drain(log, warehouse, path)
    found = replay.checksums(warehouse), replay.applied(log, warehouse), warehouse.select(SCHEMA).texts("made")
    warehouse.close()
    return found


def test_a_server_folds_the_log_into_the_tables_that_chdb_has(
    tmp_path: Path, clickhouse_server: str, s3_server: str
) -> None:
    small, position, schema = in_own_process(_embedded, tmp_path)
    log = _log()
    with clickhouse(clickhouse_server) as warehouse, s3(s3_server) as objects:
        migrate(warehouse)
        assert warehouse.select(SCHEMA).texts("made") == schema
        replay.rebuild(log, warehouse, objects)
        report = replay.compare(small, replay.checksums(warehouse))
        assert report.same, report.differences
        assert replay.applied(log, warehouse) == position
        assert sum(report.rows.values()) > 1000
        names = {one.name for one in objects.listed()}
        assert names == {one.name for one in FolderStore(tmp_path / "objects").listed()}
        assert names


def test_a_folder_that_was_copied_into_a_bucket_is_its_objects(tmp_path: Path, s3_server: str) -> None:
    folder = FolderStore(tmp_path)
    contents = [b"weights", b"", b"x" * 100_000]
    for data in contents:
        folder.put(name_of(data), len(data), [data])
    with bucket(s3_server) as settings:
        objects = S3Store(settings)
        assert list(objects.listed()) == []
        client = direct(settings)
        for file in tmp_path.rglob("*"):
            if file.is_file():
                key = f"objects/{file.relative_to(tmp_path).as_posix()}"
                client.fput_object(settings.bucket, key, str(file))
        assert {one.name for one in objects.listed()} == {one.name for one in folder.listed()}
        for data in contents:
            assert b"".join(objects.read(name_of(data))) == data
        objects.close()
