"""The bytes of artifacts: stored and verified before a row shows them.

A store that is full or away is no reason for events to wait, nor a fault of theirs: the artifact is PENDING then, and
late_artifacts.py tries again until it is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from enum import Enum

from fleetlog_core.errors import shown
from fleetlog_core.limits import INLINE_ARTIFACT_BYTES
from fleetlog_core.objects.port import DigestMismatch, ObjectName, ObjectStore, ObjectStoreUnavailable
from fleetlog_core.outages import Outage
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.threads import start_threads
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold.decoding import Decoded

DIGEST_BYTES = 32
PATIENCE_SECONDS = 2.0
"""The longest that events wait for one answer of the store, once in an outage: a put of 1 MiB takes a hundredth."""
SILENT = "it does not answer"


class Stored(Enum):
    """What the object store says of an artifact, when it is not simply there in full."""

    MISSING = "missing"
    MISMATCH = "mismatch"
    PENDING = "pending"
    THERE = "there"


class Artifacts:
    """Puts the bytes that travelled as events, and looks for those that were uploaded.

    The first call that fails, or takes longer than `patience_seconds`, begins an outage. While it lasts, `store` asks
    for nothing and finds everything PENDING; a `retry` that succeeds ends it. One thread calls `store`, one `retry`.
    """

    def __init__(self, objects: ObjectStore, outage: Outage, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._objects = objects
        self._outage = outage
        self._patience_seconds = patience_seconds
        self._threads = ContextThreads(1, "artifacts")
        start_threads(self._threads, 1)
        self._asked: Future[Stored] | None = None
        """A call that was not waited for any longer."""

    def close(self) -> None:
        """Let the thread go. Idempotent."""
        self._threads.shutdown(wait=False)

    def why(self) -> str:
        """What the store lacks, in words for the run's page."""
        return self._outage.shortage() or SILENT

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
                        found[name] = self._soon(name, artifact)
        return found

    def retry(self, name: ObjectName, artifact: event_pb2.ArtifactLogged) -> Stored:
        """See to one that was PENDING, however long that takes. PENDING again: an outage has begun or goes on."""
        try:
            stored = self._see_to(name, artifact)
        except ObjectStoreUnavailable as error:
            self._outage.failed(error)
            return Stored.PENDING
        self._outage.ended()
        return stored

    def _soon(self, name: ObjectName, artifact: event_pb2.ArtifactLogged) -> Stored:
        if _is_malformed(artifact):
            return Stored.MISMATCH
        if self._outage.reason():
            return Stored.PENDING
        if self._asked is not None and not self._asked.done():
            # The store answers others by now, and this one call hangs still.
            return Stored.PENDING
        self._asked = self._threads.submit(self._see_to, name, artifact)
        try:
            return self._asked.result(self._patience_seconds)
        except FutureTimeout:
            self._outage.failed(ObjectStoreUnavailable(f"no answer within {self._patience_seconds:g} s"))
        except ObjectStoreUnavailable as error:
            self._outage.failed(error)
        return Stored.PENDING

    def _see_to(self, name: ObjectName, artifact: event_pb2.ArtifactLogged) -> Stored:
        if not artifact.content and artifact.size_bytes > 0:
            size = self._objects.size(name)
            if size is None:
                return Stored.MISSING
            return Stored.THERE if size == artifact.size_bytes else Stored.MISMATCH
        try:
            self._objects.put(name, artifact.size_bytes, [artifact.content])
        except DigestMismatch:
            return Stored.MISMATCH
        return Stored.THERE


def _is_malformed(artifact: event_pb2.ArtifactLogged) -> bool:
    """True if no bytes can be those of the artifact, whatever the store has."""
    return (
        len(artifact.sha256) != DIGEST_BYTES
        or artifact.size_bytes < 0
        or len(artifact.content) > INLINE_ARTIFACT_BYTES
    )  # fmt: skip


def problem_of(artifact: event_pb2.ArtifactLogged, stored: Stored) -> tuple[str, str] | None:
    """The reason and message when the artifact can't be shown."""
    path = shown(artifact.path)
    if stored is Stored.MISSING:
        return "ARTIFACT_MISSING", f"path: the bytes of {path} were not uploaded; upload them and log it again"
    if stored is Stored.MISMATCH:
        return "ARTIFACT_MISMATCH", f"path: the bytes of {path} have not the size or the SHA-256 that were logged"
    return None
