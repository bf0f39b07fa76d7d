"""Files of runs as they were listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleetlog_proto.v1 import artifact_pb2

from fleetlog._views.views import utc


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a run."""

    path: str
    """Relative path in the run, with forward slashes."""
    size_bytes: int
    """Length in bytes."""
    sha256: str
    """Digest of its bytes: 64 hexadecimal digits, as `sha256sum` prints them."""
    time: datetime
    """When the server took it, UTC."""

    @classmethod
    def of(cls, message: artifact_pb2.Artifact) -> Artifact:
        """From the message."""
        return cls(message.path, message.size_bytes, message.sha256.hex(), utc(message.ingest_time_millis))
