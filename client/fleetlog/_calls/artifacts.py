"""The files of runs and logged models: listed and downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

from fleetlog_core import limits
from fleetlog_core.errors import shown
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import artifact_pb2, frame_pb2, scope_pb2

from fleetlog._calls.branches import BranchCalls
from fleetlog._files.downloads import download, target_of
from fleetlog._files.many_downloads import download_all
from fleetlog._transport.answers import bad_answer, pages, understood
from fleetlog._transport.traces import trace_metadata
from fleetlog._values import arguments
from fleetlog._values.arguments import MODEL_PREFIX, AnyRun
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._views.artifacts import Artifact
from fleetlog._views.series import Branch
from fleetlog.errors import InvalidArgument, NotFound

DOWNLOAD_SECONDS = 3600.0
MAX_THREADS = 32


class ArtifactCalls(BranchCalls):
    """Files of a run or a logged model."""

    def list_artifacts(
        self, run_id: AnyRun, path: str = "", *, branch: Branch | None = None, as_of: AsOf | None = None
    ) -> list[Artifact]:
        """Files of a run, by path.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView; or "m-" and the 32 of a logged model.
            path: Only the file of this path, or those of the folder below it; "" = all.
            branch: Of a run that was rewound: a number from 0, or "current"; None = the one that has this id.
            as_of: When, as in search_runs; None = now. Files that were replaced or deleted since are as they were.

        Returns:
            A list of Artifact: path, size_bytes, sha256 and time of each. Empty when there are none.

        Raises:
            InvalidArgument: An argument can't be meant.

        Examples:
            >>> [(file.path, file.size_bytes) for file in client.list_artifacts(run)]
            [('ckpt/model.pt', 7), ('notes.txt', 5)]

        """
        then = as_of_message(as_of)
        messages = self._artifacts(self._owner(run_id, branch), arguments.one_text("path", path), then)
        with understood(self.target, "an artifact"):
            return [Artifact.of(message) for message in messages]

    def _artifacts(self, owner: str, path: str, as_of: scope_pb2.AsOf | None) -> list[artifact_pb2.Artifact]:
        connection = self._connection
        request = artifact_pb2.ListArtifactsRequest(
            namespace=self.namespace,
            run_id=owner[-32:],
            path=path,
            at_least=connection.position(),
            subject=_subject(owner),
            as_of=as_of,
        )
        found: list[artifact_pb2.Artifact] = []
        for page in pages(connection, connection.query.ListArtifacts, request, self.timeout):
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

    def download_artifact(
        self,
        run_id: AnyRun,
        path: str,
        to: str | os.PathLike[str],
        *,
        branch: Branch | None = None,
        as_of: AsOf | None = None,
    ) -> Path:
        """Download one file into a folder, or to a path; its digest is verified before it shows.

        A download that broke off goes on where it stopped. Any number of processes may download the same file to the
        same place: each gets it whole.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView; or "m-" and the 32 of a logged model.
            path: Path of the file in the run.
            to: A folder that is there, below which the file gets its path in the run; or the path to write to.
            branch: Of a run that was rewound: a number from 0, or "current"; None = the one that has this id.
            as_of: When, as in search_runs; None = now. Files that were replaced or deleted since are as they were.

        Returns:
            The path that it was written to.

        Raises:
            NotFound: The run has no such file.
            FleetlogError: It can't be read or written; what the disk says is one too (DISK_FULL, TARGET_NOT_WRITTEN).

        Examples:
            >>> client.download_artifact(run, "ckpt/model.pt", "copy.pt").read_bytes()
            b'weights'

        """
        target, known, then = target_of(to, path), self._owner(run_id, branch), as_of_message(as_of)
        download(lambda offset: self._pieces(known, path, offset, then), path, target, self.target)
        return target

    def download_artifacts(
        self,
        run_id: AnyRun,
        path: str | None = None,
        to: str | os.PathLike[str] = ".",
        *,
        branch: Branch | None = None,
        as_of: AsOf | None = None,
        threads: int = 4,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Path]:
        """Download a file, a folder or all files of a run, several at a time, each verified by its digest.

        Files keep their paths below `to`. What is there already with the same bytes stays as it is, so that a download
        that broke off, or is repeated, brings what is missing.

        Args:
            run_id: 32 hexadecimal digits, a UUID, a Run or a RunView; or "m-" and the 32 of a logged model.
            path: Path of a file or folder in the run; None = everything.
            to: Folder to write to; made when it is not there. The current one unless it is given.
            branch: Of a run that was rewound: a number from 0, or "current"; None = the one that has this id.
            as_of: When, as in search_runs; None = now. Files that were replaced or deleted since are as they were.
            threads: Files that are downloaded at a time, 1 to 32.
            on_progress: Is told (bytes that are there, bytes in all) while they come, from any of the threads.

        Returns:
            The paths that are there now, by path in the run. Empty when the run has no files.

        Raises:
            NotFound: Nothing is at `path`.
            FleetlogError: One can't be read or written; those that were whole before stay.

        Examples:
            >>> [file.as_posix() for file in client.download_artifacts(run, "ckpt", "copies")]
            ['copies/ckpt/model.pt']

        """
        known, folder = self._owner(run_id, branch), Path(to)
        wanted = "" if path is None else arguments.one_text("path", path).strip("/")
        most = arguments.count("threads", threads, 1, MAX_THREADS)
        then = as_of_message(as_of)
        files = self._artifacts(known, wanted, then)
        if wanted and not files:
            raise NotFound("ARTIFACT_NOT_FOUND", f"{known} has no file {shown(wanted)} and none below it")
        return download_all(
            files, folder, lambda name, offset: self._pieces(known, name, offset, then), self.target, most, on_progress
        )

    def _owner(self, run_id: AnyRun, branch: Branch | None) -> str:
        """The id of whose files they are. NotFound BRANCH_NOT_FOUND: logged models have no branches either."""
        return arguments.owner_id(run_id) if branch is None else self._branch_id(run_id, branch)

    def _pieces(
        self, owner: str, path: str, offset: int, as_of: scope_pb2.AsOf | None
    ) -> Generator[artifact_pb2.DownloadArtifactResponse, None, None]:
        connection = self._connection
        request = artifact_pb2.DownloadArtifactRequest(
            namespace=self.namespace,
            run_id=owner[-32:],
            path=path,
            offset_bytes=offset,
            at_least=connection.position(),
            subject=_subject(owner),
            as_of=as_of,
        )
        with connection.calling():
            call = connection.query.DownloadArtifact(request, timeout=DOWNLOAD_SECONDS, metadata=trace_metadata())
            try:
                yield from call
            finally:
                call.cancel()


def _subject(owner: str) -> frame_pb2.Subject.ValueType:
    return frame_pb2.SUBJECT_MODEL if owner.startswith(MODEL_PREFIX) else frame_pb2.SUBJECT_RUN
