"""The connection of a client, for calls that no method of it makes."""

from __future__ import annotations

from fleetlog._transport.connection import Connection, connection_to
from fleetlog.client import Client


def connection_of(client: Client) -> Connection:
    """Returns the process's connection to the client's server."""
    return connection_to(client.target)
