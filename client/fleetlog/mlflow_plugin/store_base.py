"""What the parts of the store share: the place, its writers, experiments that were read lately."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import experiment_pb2, ingest_pb2, query_pb2, run_pb2, scope_pb2

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog._transport.answers import pages
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.run_writers import RunWriters, writers_of
from fleetlog.mlflow_plugin.uris import Place, Wait


class StoreBase:
    """A place, and how it is written to."""

    def __init__(self, place: Place, artifact_root: str | None, wait: Wait) -> None:
        self.place = place
        self.artifact_root = artifact_root
        self.wait = wait
        self._writers: RunWriters | None = None
        self._experiments: dict[str, tuple[experiment_pb2.Experiment, float]] = {}

    @property
    def writers(self) -> RunWriters:
        """The process's writers: a forked child has others."""
        found = self._writers
        if found is None or found.pid != os.getpid():
            found = self._writers = writers_of(self.place)
        return found

    def wrote(self) -> None:
        """Something was put: wait for as much as the store is to wait for."""
        if self.wait != "handed":
            self.writers.flush(self.wait)

    def set_deleted(self, run_id: str, *, deleted: bool) -> None:
        """Delete or restore a run."""
        writers = self.writers
        writers.flush()
        connection = writers.connection
        request = ingest_pb2.UpdateRunRequest(
            namespace=self.place.namespace,
            run_id=run_id,
            request_id=new_random_id(),
            deleted=deleted,
            at_least=self.writers.position(),
        )
        with translated():
            connection.saw(connection.call(connection.ingest.UpdateRun, request, TIMEOUT_SECONDS).position)
        run = writers.find(run_id)
        run.deleted = deleted
        if run.own is not None:
            run.own.put_deleted(deleted)
        self.wrote()

    def pages_of_runs(
        self,
        experiment_ids: Sequence[int],
        view: scope_pb2.DeletedView.ValueType,
        mask: Sequence[str] = (),
        where: str = "",
    ) -> Iterator[run_pb2.Run]:
        """Returns all runs of experiments, a page at a time."""
        if not experiment_ids:
            return
        writers = self.writers
        writers.flush()
        connection = writers.connection
        request = query_pb2.SearchRunsRequest(
            namespace=self.place.namespace,
            experiment_ids=experiment_ids,
            filter=where,
            page_size=PAGE,
            read_mask=mask,
            deleted_view=view,
            at_least=self.writers.position(),
        )
        with translated():
            for page in pages(connection, connection.query.SearchRuns, request, TIMEOUT_SECONDS):
                yield from page.runs
