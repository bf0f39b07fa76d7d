"""The bytes of artifacts: stored and verified before a row shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from fleetlog_core.errors import shown
from fleetlog_core.limits import INLINE_ARTIFACT_BYTES
from fleetlog_core.objects.port import DigestMismatch, ObjectName, ObjectStore, ObjectStoreUnavailable
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.decoding import Decoded

DIGEST_BYTES = 32
TRIES = 5


class Stored(Enum):
    """What the object store says of an artifact, when it is not simply there in full."""

    MISSING = "missing"
    MISMATCH = "mismatch"
    PENDING = "pending"
    THERE = "there"


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Puts the bytes that travelled as events, and looks for those that were uploaded.

    `wait(seconds)` is called between tries while the store does not answer; after a few the artifact is PENDING: its
    record goes to the dead letters, and the events behind it go on.
    """

    objects: ObjectStore
    wait: Callable[[float], None]

    def store(self, records: Iterable[Decoded]) -> dict[ObjectName, Stored]:
        """See to every artifact that the records speak of."""
        found: dict[ObjectName, Stored] = {}
        for decoded in records:
            if decoded.frame is None or not decoded.has_artifacts:
                continue
            for event in decoded.frame.events:
                if event.WhichOneof("payload") == "artifact_logged":
                    artifact = event.artifact_logged
                    name = ObjectName(decoded.namespace, decoded.frame.run_id, artifact.sha256)
                    if found.get(name) is not Stored.THERE:
                        found[name] = self._see_to(name, artifact)
        return found

    def _see_to(self, name: ObjectName, artifact: event_pb2.ArtifactLogged) -> Stored:
        if len(artifact.sha256) != DIGEST_BYTES or artifact.size_bytes < 0:
            return Stored.MISMATCH
        for attempt in range(TRIES):
            try:
                if artifact.content or artifact.size_bytes == 0:
                    if len(artifact.content) > INLINE_ARTIFACT_BYTES:
                        return Stored.MISMATCH
                    self.objects.put(name, artifact.size_bytes, [artifact.content])
                    return Stored.THERE
                size = self.objects.size(name)
                if size is None:
                    return Stored.MISSING
                return Stored.THERE if size == artifact.size_bytes else Stored.MISMATCH
            except DigestMismatch:
                return Stored.MISMATCH
            except ObjectStoreUnavailable:
                self.wait(0.1 * 2**attempt)
        return Stored.PENDING


def problem_of(artifact: event_pb2.ArtifactLogged, stored: Stored) -> tuple[str, str] | None:
    """The reason and message when the artifact can't be shown."""
    path = shown(artifact.path)
    if stored is Stored.MISSING:
        return "ARTIFACT_MISSING", f"path: the bytes of {path} were not uploaded; upload them and log it again"
    if stored is Stored.MISMATCH:
        return "ARTIFACT_MISMATCH", f"path: the bytes of {path} have not the size or the SHA-256 that were logged"
    return None
