from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.objects.port import ObjectName, ObjectStore
from fleetlog_core.outages import Outage
from fleetlog_ingest.materializer.fold.artifacts import Artifacts, Stored
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.state import State
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


def artifact_of(decoded: Decoded) -> event_pb2.ArtifactLogged:
    assert decoded.frame is not None
    return decoded.frame.events[0].artifact_logged


def stored(objects: ObjectStore, decoded: Decoded) -> dict[ObjectName, Stored]:
    artifacts = Artifacts(objects, Outage("artifacts wait"))
    try:
        return artifacts.store([decoded])
    finally:
        artifacts.close()


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


def test_a_store_that_is_away_makes_one_artifact_wait_and_no_event(tmp_path: Path) -> None:
    objects, outage = FolderStore(tmp_path / "objects"), Outage("artifacts wait")
    artifacts = Artifacts(objects, outage)
    (tmp_path / "objects").rename(tmp_path / "away")
    assert artifacts.store([artifact(CONTENT)]) == {NAME: Stored.PENDING}
    assert outage.reason() == "artifacts wait: the folder can't be written: No such file or directory"
    (tmp_path / "away").rename(tmp_path / "objects")
    # Not asked again for the sake of a batch: only a retry ends the outage.
    assert artifacts.store([artifact(CONTENT)]) == {NAME: Stored.PENDING}
    assert artifacts.retry(NAME, artifact_of(artifact(CONTENT))) is Stored.THERE
    assert outage.reason() == ""
    assert artifacts.store([artifact(CONTENT)]) == {NAME: Stored.THERE}
    artifacts.close()


def test_an_event_with_a_pending_artifact_is_applied_and_no_dead_letter() -> None:
    out = folded(State(), artifact(CONTENT), stored={NAME: Stored.PENDING})
    assert out.dead == []
    assert out.tables["writers"]["ranges"] == ["1-1"]
    assert out.tables["pending_artifacts"]["path"] == ["model/weights"]
    assert not {"artifacts", "problems"} & out.tables.keys()


def test_bytes_that_can_never_be_right_are_told_also_while_the_store_is_away(tmp_path: Path) -> None:
    objects, outage = FolderStore(tmp_path / "objects"), Outage("artifacts wait")
    artifacts = Artifacts(objects, outage)
    (tmp_path / "objects").rename(tmp_path / "away")
    artifacts.store([artifact(CONTENT)])
    for wrong in (artifact(CONTENT, digest=b"short"), artifact(CONTENT, size=-1)):
        assert list(artifacts.store([wrong]).values()) == [Stored.MISMATCH]
    artifacts.close()


class Hanging:
    """A store whose puts take until they are let go."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self.let_go = threading.Event()

    def put(self, name: ObjectName, size_bytes: int, chunks: Iterable[bytes]) -> None:
        self.let_go.wait()
        self._objects.put(name, size_bytes, chunks)

    def size(self, name: ObjectName) -> int | None:
        return self._objects.size(name)

    def read(self, name: ObjectName, offset_bytes: int = 0, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        return self._objects.read(name, offset_bytes, chunk_bytes)

    def close(self) -> None:
        self._objects.close()


def test_a_store_that_hangs_is_waited_for_once_and_not_long(tmp_path: Path) -> None:
    hanging, outage = Hanging(FolderStore(tmp_path)), Outage("artifacts wait")
    artifacts = Artifacts(hanging, outage, patience_seconds=0.05)
    many = [artifact(CONTENT)] * 1_000
    assert artifacts.store(many) == {NAME: Stored.PENDING}
    assert "no answer within 0.05 s" in outage.reason()
    outage.ended()
    # The store may answer others by now; the call that hangs is not queued behind.
    assert artifacts.store(many) == {NAME: Stored.PENDING}
    hanging.let_go.set()
    assert artifacts.retry(NAME, artifact_of(artifact(CONTENT))) is Stored.THERE
    artifacts.close()
