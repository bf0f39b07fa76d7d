from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.port import ObjectName, ObjectStore, ObjectStoreUnavailable
from fleetlog_ingest.materializer.artifacts import Artifacts, Stored
from fleetlog_ingest.materializer.decoding import Decoded
from fleetlog_ingest.materializer.state import State
from fleetlog_proto.v1 import event_pb2

from tests.ingest.materializer.builders import RUN, folded, frame, record

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).digest()
NAME = ObjectName("default", RUN, DIGEST)


def artifact(content: bytes, size: int = len(CONTENT), digest: bytes = DIGEST) -> Decoded:
    event = event_pb2.Event(sequence=1)
    event.artifact_logged.path = "model/weights"
    event.artifact_logged.size_bytes = size
    event.artifact_logged.sha256 = digest
    event.artifact_logged.content = content
    return record(frame(event), 3)


class Away:
    """A store that does not answer so many times."""

    def __init__(self, objects: ObjectStore, times: int) -> None:
        self._objects = objects
        self._times = times

    def _answer(self) -> ObjectStore:
        if self._times:
            self._times -= 1
            raise ObjectStoreUnavailable
        return self._objects

    def put(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        self._answer().put(name, size_bytes, chunks)

    def size(self, name: ObjectName) -> int | None:
        return self._answer().size(name)

    def read(self, name: ObjectName, offset_bytes: int = 0, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        return self._answer().read(name, offset_bytes, chunk_bytes)

    def close(self) -> None:
        self._objects.close()


def stored(objects: ObjectStore, decoded: Decoded) -> dict[ObjectName, Stored]:
    return Artifacts(objects, lambda seconds: None).store([decoded])


def test_bytes_that_travel_along_are_stored_before_the_row(tmp_path: Path) -> None:
    objects = FolderStore(tmp_path)
    found = stored(objects, artifact(CONTENT))
    assert found == {NAME: Stored.THERE}
    assert b"".join(objects.read(NAME)) == CONTENT
    assert folded(State(), artifact(CONTENT), stored=found).tables["artifacts"]["path"] == ["model/weights"]


def test_an_upload_is_looked_for(tmp_path: Path) -> None:
    objects = FolderStore(tmp_path)
    found = stored(objects, artifact(b""))
    assert found == {NAME: Stored.MISSING}
    out = folded(State(), artifact(b""), stored=found)
    assert "artifacts" not in out.tables
    assert "upload" in str(out.tables["problems"]["message"])
    objects.put(NAME, len(CONTENT), [CONTENT])
    assert stored(objects, artifact(b"")) == {NAME: Stored.THERE}
    assert stored(objects, artifact(b"", size=3)) == {NAME: Stored.MISMATCH}


def test_bytes_that_are_not_those_of_the_digest_are_told(tmp_path: Path) -> None:
    objects = FolderStore(tmp_path)
    assert stored(objects, artifact(b"another")) == {NAME: Stored.MISMATCH}
    assert objects.size(NAME) is None
    short = artifact(CONTENT, digest=b"short")
    assert list(stored(objects, short).values()) == [Stored.MISMATCH]


def test_a_store_that_is_away_is_waited_for_and_then_the_event_stays_open(tmp_path: Path) -> None:
    assert stored(Away(FolderStore(tmp_path), 3), artifact(CONTENT)) == {NAME: Stored.THERE}
    found = stored(Away(FolderStore(tmp_path), 99), artifact(CONTENT))
    assert found == {NAME: Stored.PENDING}
    out = folded(State(), artifact(CONTENT), stored=found)
    assert [letter.reason for letter in out.dead] == ["ARTIFACT_PENDING"]
    assert "writers" not in out.tables
