"""The files of runs: listed and downloaded."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import artifact_pb2

from fleetlog._calls.base import READ_SECONDS, Calls
from fleetlog._files.downloads import download, target_of
from fleetlog._transport.answers import bad_answer, pages
from fleetlog._transport.traces import trace_metadata
from fleetlog._values import arguments
from fleetlog._values.arguments import AnyRun
from fleetlog.errors import InvalidArgument

DOWNLOAD_SECONDS = 3600.0


class ArtifactCalls(Calls):
    """Files of a run."""

    def list_artifacts(self, run_id: AnyRun, path: str = "") -> list[artifact_pb2.Artifact]:
        """Files of a run (path, size_bytes, sha256), all or those below a path."""
        connection = self._connection
        request = artifact_pb2.ListArtifactsRequest(
            namespace=self.namespace,
            run_id=arguments.run_id(run_id),
            path=arguments.one_text("path", path),
            at_least=connection.position(),
        )
        found: list[artifact_pb2.Artifact] = []
        for page in pages(connection, connection.query.ListArtifacts, request, READ_SECONDS):
            for artifact in page.artifacts:
                self._check(artifact, path)
            found += page.artifacts
        return found

    def _check(self, artifact: artifact_pb2.Artifact, below: str) -> None:
        """BAD_ANSWER for what can't be a file of a run, or was not asked for: callers open files by these paths."""
        try:
            check_artifact_path(artifact.path, written=False)
        except InvalidArgument as error:
            raise bad_answer(self.target, f"an artifact's {error}") from error
        if below and artifact.path != below and not artifact.path.startswith(f"{below}/"):
            raise bad_answer(self.target, "an artifact is not below the path that was asked for")
        if not 0 <= artifact.size_bytes <= limits.ARTIFACT_BYTES or len(artifact.sha256) != 32:
            raise bad_answer(self.target, "an artifact has no SHA-256 or no possible size")

    def download_artifact(self, run_id: AnyRun, path: str, to: str | os.PathLike[str]) -> Path:
        """Download a file into a folder, or to a path; verified before it shows. The path it was written to.

        A download that broke off goes on where it stopped. Any number of processes may download the same file to the
        same place: each gets it whole. FleetlogError, also for what the disk says.
        """
        target, known = target_of(to, path), arguments.run_id(run_id)
        download(lambda offset: self._pieces(known, path, offset), path, target, self.target)
        return target

    def _pieces(
        self, run_id: str, path: str, offset: int
    ) -> Generator[artifact_pb2.DownloadArtifactResponse, None, None]:
        connection = self._connection
        request = artifact_pb2.DownloadArtifactRequest(
            namespace=self.namespace, run_id=run_id, path=path, offset_bytes=offset, at_least=connection.position()
        )
        with connection.calling():
            call = connection.query.DownloadArtifact(request, timeout=DOWNLOAD_SECONDS, metadata=trace_metadata())
            try:
                yield from call
            finally:
                call.cancel()
