"""The numbers of experiments that this process writes to: asked for once, by name."""

from __future__ import annotations

import logging

from fleetlog_proto.v1 import event_pb2, ingest_pb2

from fleetlog.connection import Connection
from fleetlog.errors import RETRY, FleetlogError, is_fleetlogs
from fleetlog.outbox import Writer

diagnostics = logging.getLogger("fleetlog")
DEFAULT = 0


class ExperimentNumbers:
    """Of one server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], int] = {}

    def resolve(self, namespace: str, name: str, timeout_seconds: float) -> int:
        """The number of an experiment, which is made when it is not there. FleetlogError."""
        known = self._known.get((namespace, name))
        if known is None:
            request = ingest_pb2.CreateExperimentRequest(namespace=namespace, name=name, exist_ok=True)
            response = self._connection.call(self._connection.ingest.CreateExperiment, request, timeout_seconds)
            self._connection.saw(response.position)
            known = self._known[(namespace, name)] = response.experiment.experiment_id
        return known

    def fill_in(self, writer: Writer, event: event_pb2.Event) -> bool:
        """Fill in the number in a writer's first event; False when there is no server to ask."""
        if not event.HasField("run_started"):
            return True
        if writer.experiment_id is None:
            try:
                writer.experiment_id = self.resolve(writer.namespace, writer.experiment, 30.0)
            except FleetlogError as error:
                if error.code in RETRY or not is_fleetlogs(error):
                    return False
                diagnostics.warning("run %s goes to Default: %s", writer.run_id.hex(), error.message)
                writer.experiment_id = DEFAULT
        event.run_started.experiment_id = writer.experiment_id
        return True
