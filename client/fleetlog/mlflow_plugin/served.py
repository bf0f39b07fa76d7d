"""Processes of `mlflow server`: they share nothing, and what one of them wrote is read through another."""

from __future__ import annotations

import os

from fleetlog_proto.v1 import ingest_pb2, position_pb2

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog._transport.connection import Connection

STORE = "_MLFLOW_SERVER_FILE_STORE"
"""Variable of the environment in which `mlflow server` tells its processes where its store is."""


def is_served() -> bool:
    """True in a process of `mlflow server`."""
    return STORE in os.environ


def read_position(connection: Connection, namespace: str) -> position_pb2.Position:
    """Returns what a read has to hold: what this process wrote; in a process of `mlflow server` everything that anybody
    wrote before. FleetlogError."""
    if is_served():
        request = ingest_pb2.GetLogPositionRequest(namespace=namespace)
        connection.saw(connection.call(connection.ingest.GetLogPosition, request, TIMEOUT_SECONDS).position)
    return connection.position()
