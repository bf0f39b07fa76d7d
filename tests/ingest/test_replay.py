"""Bytes of yesterday folded by the code of today, and warehouses compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Coded, Statement
from fleetlog_ingest import replay

from tests.golden.records import (
    ANNOTATION_DIGESTS,
    BRANCH_DIGESTS,
    DATASET_DIGESTS,
    DEFAULT_DIGESTS,
    DIGESTS,
    DOCUMENT_DIGESTS,
    ENDING_DIGESTS,
    IMPORT_TIME_DIGESTS,
    MODEL_DIGESTS,
    REGISTRY_DIGESTS,
    TABLE_DIGESTS,
    TOKEN_DIGESTS,
    WEBHOOK_DIGESTS,
    digests_of,
    shapes,
    stored_annotations,
    stored_branches,
    stored_datasets,
    stored_defaults,
    stored_documents,
    stored_endings,
    stored_import_times,
    stored_imports,
    stored_models,
    stored_records,
    stored_registry,
    stored_tokens,
    stored_webhooks,
)
from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.history import write
from tests.ingest.materializer.warehouses import drain, opened, rebuilt


def test_the_bytes_of_every_released_shape_still_mean_the_same() -> None:
    for name, (message, data) in shapes().items():
        assert type(message).FromString(data) == message, name
        assert message.SerializeToString(deterministic=True) == data, name


def test_the_stored_records_fold_into_the_stored_tables() -> None:
    for path, records in (
        (DIGESTS, stored_records()),
        (TABLE_DIGESTS, stored_imports()),
        (DATASET_DIGESTS, stored_datasets()),
        (REGISTRY_DIGESTS, stored_registry()),
        (WEBHOOK_DIGESTS, stored_webhooks()),
        (TOKEN_DIGESTS, stored_tokens()),
        (DOCUMENT_DIGESTS, stored_documents()),
        (ANNOTATION_DIGESTS, stored_annotations()),
        (MODEL_DIGESTS, stored_models()),
        (DEFAULT_DIGESTS, stored_defaults()),
        (ENDING_DIGESTS, stored_endings()),
        (BRANCH_DIGESTS, stored_branches()),
        (IMPORT_TIME_DIGESTS, stored_import_times()),
    ):
        before, now = json.loads(path.read_text()), in_own_process(digests_of, records)
        # Tables that came later are empty of what there was before them.
        assert {table: now.get(table) for table in before} == before
        assert not any(now[table] for table in now.keys() - before.keys())


def _compare(path: Path) -> None:
    log = MemoryLog()
    write(log, 3, 60)
    live = opened(path)
    drain(log, live, path)
    assert replay.verify(log, live, live).same
    before = replay.checksums(live)
    namespace = Coded(np.zeros(1, np.uint32), ["default"])
    live.insert("rollup", {"namespace": namespace, "total": np.array([0.5]), "n": np.ones(1, np.uint64)}, "more")
    report = replay.compare(before, replay.checksums(live))
    assert [text.split(":")[0] for text in report.differences] == ["rollup", "rollup.total"]
    live.close()
    assert replay.compare(before, rebuilt(log, path / "again")).same


def test_a_row_too_many_is_found(tmp_path: Path) -> None:
    in_own_process(_compare, tmp_path)


def _until(path: Path) -> None:
    log = MemoryLog()
    write(log, 3, 60)
    warehouse = opened(path)
    partition = Partition(EVENTS, 0)
    replay.rebuild(log, warehouse, FolderStore(path / "objects"), until={partition: 20})
    assert replay.applied(log, warehouse)[partition] == 20
    assert int(warehouse.select(Statement("SELECT max(off) AS last FROM points")).array("last")[0]) < 20
    warehouse.close()


def test_a_rebuild_can_stop_at_a_position(tmp_path: Path) -> None:
    in_own_process(_until, tmp_path)
