"""Reads and changes from outside a run. Reads see everything that this process wrote before, without asking.

What can be asked stands in fleetlog._calls, a file for each noun.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from fleetlog._calls.events import EventCalls
from fleetlog._calls.facets import FacetCalls
from fleetlog._calls.imports import ImportCalls
from fleetlog._calls.searches import SearchCalls
from fleetlog._calls.tokens import TokenCalls
from fleetlog._calls.webhooks import WebhookCalls
from fleetlog._delivery.registry import Level, delivery_to, flush_delivery, release


class Client(SearchCalls, WebhookCalls, FacetCalls, ImportCalls, TokenCalls, EventCalls):
    """A server's runs in one namespace: searched, selected, read and changed.

    Cheap to make: one process has one connection to each server, which its clients and runs share. May be used from
    any number of threads, and after a fork. Reads see everything that this process wrote before.

    Args:
        target: Address of the server, host:port, or fleetlogs://host:port for TLS; None = $FLEETLOG_TARGET, or else
            localhost:7460.
        namespace: Namespace to look at; None = $FLEETLOG_NAMESPACE, or else "default".
        timeout: Seconds that one answer may take; downloads, streams and watches take as long as they take.

    Raises:
        InvalidArgument: An argument can't be meant. A server that is not there is told by the first call: Unavailable.

    Examples:
        >>> with fleetlog.Client(timeout=10) as client:
        ...     len(client.search_runs(experiments="speedrun"))
        1

    """

    def flush(self, timeout: float = 30.0, level: Level = "durable") -> None:
        """Wait until everything this process logged to the server is durable, or can be read.

        Args:
            timeout: Seconds to wait at the most.
            level: "durable": it is in the server's log; "applied": searches by others find it too.

        Raises:
            DeadlineExceeded: It is not by then; it is still being sent, nothing is lost by that.

        Examples:
            >>> client.flush(level="applied")

        """
        flush_delivery(delivery_to(self.target), timeout, level)

    def close(self) -> None:
        """End the client: its calls raise FailedPrecondition (CLIENT_CLOSED) from now on.

        The connection is closed with it unless a run of this process, or a call of another client, uses it. Runs go
        on. Closing it again does nothing.

        Examples:
            >>> other = fleetlog.Client()
            >>> other.close()

        """
        if not self._closed:
            self._closed = True
            release(self.target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
