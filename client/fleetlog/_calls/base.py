"""What all calls share: the server, the namespace, the connection, and the words for runs that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fleetlog_proto.v1 import scope_pb2

from fleetlog._transport.connection import Connection, connection_to, resolve_namespace
from fleetlog._values import arguments
from fleetlog._values.as_of import AsOf, as_of_message
from fleetlog._views.views import Experiment
from fleetlog.errors import FailedPrecondition

Deleted = Literal["active", "deleted", "all", "superseded"]
"""Which runs or experiments: those that are not deleted, those that are, or both; or the branches of runs that a rewind
left behind, which none of the others has."""
VIEWS: dict[Deleted, scope_pb2.DeletedView.ValueType] = {
    "active": scope_pb2.DELETED_VIEW_ACTIVE,
    "deleted": scope_pb2.DELETED_VIEW_DELETED,
    "all": scope_pb2.DELETED_VIEW_ALL,
    "superseded": scope_pb2.DELETED_VIEW_SUPERSEDED,
}
Experiments = Sequence[str | int | Experiment] | str | int | Experiment | None
"""Names, numbers or Experiments, or one by itself; left out (or None) all of them."""
PAGE = 1000
TIMEOUT_SECONDS = 60.0
"""Longest wait for one answer, unless the client was given another one."""


def view(deleted: Deleted) -> scope_pb2.DeletedView.ValueType:
    """The number of a word. InvalidArgument."""
    return VIEWS[arguments.choice("deleted", deleted, VIEWS)]


class Calls:
    """To one server, in one namespace."""

    target: str
    """The server's address, host:port."""
    namespace: str
    """The namespace that is read and changed."""
    timeout: float
    """Seconds that one answer may take."""

    def __init__(
        self, target: str | None = None, namespace: str | None = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self.timeout = arguments.seconds("timeout", timeout)
        self.target = connection_to(target).target
        self.namespace = resolve_namespace(namespace, target)
        self._closed = False

    @property
    def _connection(self) -> Connection:
        if self._closed:
            raise FailedPrecondition("CLIENT_CLOSED", "the client is closed; make another one with fleetlog.Client()")
        # Looked up each time: after a fork the parent's channel can't be used.
        return connection_to(self.target)

    def _scope(
        self, filter_: str, experiments: Experiments, deleted: Deleted, as_of: AsOf | None = None
    ) -> scope_pb2.RunScope:
        numbers, names = arguments.experiments(experiments)
        return scope_pb2.RunScope(
            namespace=self.namespace,
            experiment_ids=numbers,
            experiment_names=names,
            filter=arguments.one_text("filter", filter_),
            deleted_view=view(deleted),
            at_least=self._connection.position(),
            as_of=as_of_message(as_of),
        )
