"""The files of runs: listed and downloaded."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import artifact_pb2

from fleetlog import arguments
from fleetlog.arguments import AnyRun
from fleetlog.calls.base import READ_SECONDS, Calls
from fleetlog.errors import FleetlogError
from fleetlog.traces import trace_metadata


class ArtifactCalls(Calls):
    """Files of a run."""

    def list_artifacts(self, run_id: AnyRun, path: str = "") -> list[artifact_pb2.Artifact]:
        """Files of a run (path, size_bytes, sha256), all or those below a path."""
        request = artifact_pb2.ListArtifactsRequest(
            namespace=self.namespace,
            run_id=arguments.run_id(run_id),
            path=arguments.one_text("path", path),
            at_least=self._connection.position(),
        )
        found: list[artifact_pb2.Artifact] = []
        while True:
            response = self._connection.call(self._connection.query.ListArtifacts, request, READ_SECONDS)
            found += response.artifacts
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    def download_artifact(self, run_id: AnyRun, path: str, to: str | Path) -> Path:
        """Download a file into a folder, or to a path; verified before it shows. The path it was written to.

        A download that broke off goes on where it stopped.
        """
        check_artifact_path(path)
        target = Path(to) / path if Path(to).is_dir() else Path(to)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        offset = part.stat().st_size if part.exists() else 0
        request = artifact_pb2.DownloadArtifactRequest(
            namespace=self.namespace,
            run_id=arguments.run_id(run_id),
            path=path,
            offset_bytes=offset,
            at_least=self._connection.position(),
        )
        expected = b""
        try:
            connection = self._connection
            with part.open("ab") as file, connection.calling():
                for response in connection.query.DownloadArtifact(request, timeout=3600.0, metadata=trace_metadata()):
                    if response.HasField("artifact"):
                        expected = response.artifact.sha256
                    file.write(response.chunk)
        except FleetlogError:
            if not part.stat().st_size:
                part.unlink()
            raise
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if digest != expected:
            part.unlink()
            raise FleetlogError("DIGEST_MISMATCH", f"{path} did not arrive as it was stored; download it again")
        part.replace(target)
        return target
