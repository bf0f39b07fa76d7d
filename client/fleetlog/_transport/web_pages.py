"""Addresses of pages of the web UI, where the server told where that is."""

from __future__ import annotations

from urllib.parse import quote

from fleetlog_proto.v1 import query_pb2

from fleetlog._transport.connection import Connection

_SCHEMES = ("http://", "https://")


def run_page(connection: Connection, namespace: str, run_id: str, timeout_seconds: float) -> str:
    """Address of a run's page; "" where the server knows no web UI. Asked once by connection. FleetlogError."""
    if not connection.web_url:
        request = query_pb2.GetServerInfoRequest()
        told = connection.call(connection.query.GetServerInfo, request, timeout_seconds).web_url
        # It becomes a link.
        connection.web_url = told if told.startswith(_SCHEMES) else ""
    if not connection.web_url:
        return ""
    return f"{connection.web_url}/n/{quote(namespace, safe='')}/runs/{run_id}"
