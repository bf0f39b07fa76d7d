"""What all calls share: the server, the namespace, the connection, and the words for runs that are looked at."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_proto.v1 import scope_pb2

from fleetlog.as_of import AsOf, as_of_message
from fleetlog.connection import Connection, connection_to, resolve_namespace

VIEWS = {
    "active": scope_pb2.DELETED_VIEW_ACTIVE,
    "deleted": scope_pb2.DELETED_VIEW_DELETED,
    "all": scope_pb2.DELETED_VIEW_ALL,
}
PAGE = 1000
READ_SECONDS = 60.0


class Calls:
    """To one server, in one namespace."""

    def __init__(self, target: str | None = None, namespace: str | None = None) -> None:
        self.target = connection_to(target).target
        self.namespace = resolve_namespace(namespace)

    @property
    def _connection(self) -> Connection:
        # Looked up each time: after a fork the parent's channel can't be used.
        return connection_to(self.target)

    def _scope(
        self, where: str, experiments: Sequence[str | int], deleted: str, as_of: AsOf | None = None
    ) -> scope_pb2.RunScope:
        return scope_pb2.RunScope(
            namespace=self.namespace,
            experiment_ids=[one for one in experiments if isinstance(one, int)],
            experiment_names=[one for one in experiments if isinstance(one, str)],
            filter=where,
            deleted_view=VIEWS[deleted],
            at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )
