"""Files as of a position against the oracle: a namespace into which only the records before it were folded."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path

import pytest
from fleetlog_core.errors import FailedPrecondition
from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement
from fleetlog_proto.v1 import frame_pb2
from fleetlog_query.artifacts import Artifacts

from tests.core.warehouse.engines import chdb
from tests.ingest.materializer.builders import NOW
from tests.query.histories import PARTITIONS, Message, Writing
from tests.query.histories import RUNS as ALL_RUNS
from tests.query.sql.test_as_of import as_of

RUNS = ALL_RUNS[:2]
PATHS = ["a", "a/b", "a/b/c", "ab", "d/e"]
"""Files and folders: what is deleted may be either."""


def files(seed: int, length: int) -> list[tuple[Partition, Message]]:
    """Records in which files are logged, replaced and deleted again, alone or with the folder that they are in."""
    chance, found = random.Random(seed), list[tuple[Partition, Message]]()
    sequences = dict.fromkeys(RUNS, 0)
    for place in range(length):
        run_id = chance.choice(RUNS)
        frame = frame_pb2.Frame(run_id=run_id, writer_id=bytes(16), ingest_time_millis=NOW + place)
        for _ in range(chance.randrange(1, 3)):
            sequences[run_id] += 1
            event = frame.events.add(sequence=sequences[run_id], observe_time_millis=NOW)
            if chance.random() < 0.3:
                event.artifacts_deleted.path = chance.choice(["", *PATHS])
            else:
                content = chance.randbytes(chance.randrange(4))
                event.artifact_logged.path, event.artifact_logged.content = chance.choice(PATHS), content
                event.artifact_logged.size_bytes = len(content)
                event.artifact_logged.sha256 = sha256(content).digest()
        found.append((Partition(EVENTS, partition_of(run_id, PARTITIONS)), frame))
    return found


def listed(artifacts: Artifacts, namespace: str, *then: object) -> list[list[str]]:
    """All files of each run; those of a folder; those of a page; and what a path has."""
    found = []
    for run_id in RUNS:
        for path, after, count in (("", "", 100), ("a", "", 100), ("", "a/b", 2)):
            found.append([str(one) for one in artifacts.below(namespace, run_id, path, after, count, *then)])  # type: ignore[arg-type]
        found.append([str(artifacts.at(namespace, run_id, path, *then)) for path in PATHS])  # type: ignore[arg-type]
    return found


def test_files_as_of_a_position_are_those_that_its_records_alone_give(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, artifacts, seen = Writing(warehouse, tmp_path), Artifacts(warehouse), set[str]()
        for seed in range(2):
            records, name = files(seed, 24), f"files-{seed}"
            positions = writing.fold(records, name, random.Random(seed))
            for place in (7, 17):
                writing.fold(records[:place], f"{name}-{place}", None)
                now = listed(artifacts, f"{name}-{place}")
                assert listed(artifacts, name, as_of(positions[place])) == now
                seen.add(str(now))
        assert len(seen) == 4


def test_what_a_path_had_before_its_past_was_kept_is_refused_and_not_guessed(tmp_path: Path) -> None:
    with chdb(tmp_path) as warehouse:
        migrate(warehouse)
        writing, artifacts = Writing(warehouse, tmp_path), Artifacts(warehouse)
        records = files(1, 20)
        positions = writing.fold(records, "older", None)
        # As a version without the history left it, and the migration found it.
        for sql in (
            "TRUNCATE TABLE artifact_history",
            "INSERT INTO artifact_history SELECT namespace, run_id, path, ver, 0, size_bytes, sha256, ingest_time, 1"
            " FROM artifacts FINAL",
        ):
            warehouse.execute(Statement(sql))
        assert [one.path for one in artifacts.below("older", RUNS[0], "", "", 100, as_of(positions[-1]))]
        with pytest.raises(FailedPrecondition) as caught:
            artifacts.below("older", RUNS[0], "", "", 100, as_of(positions[1]))
        assert caught.value.reason == "AS_OF_TOO_EARLY"
