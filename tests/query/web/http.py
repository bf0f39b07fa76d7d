"""A client of HTTP that says exactly what it is told to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

JSON, PROTO = "application/json", "application/proto"
QUERY, INGEST = "/fleetlog.v1.QueryService", "/fleetlog.v1.IngestService"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Http:
    """One connection to one port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to a request with these headers, and the usual ones that are not among them."""
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def call(self, path: str, request: Mapping[str, Any] | bytes, content_type: str = "", **headers: str) -> Answer:
        """The answer of a call; JSON for a mapping, protobuf for bytes, unless a content type says otherwise."""
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        usual = PROTO if isinstance(request, bytes) else JSON
        return self.ask("POST", path, body, {"content-type": content_type or usual, **headers})

    def close(self) -> None:
        self._connection.close()
