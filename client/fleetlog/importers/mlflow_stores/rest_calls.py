"""Calls of MLflow's REST, by Python's own HTTP: made again when a server does not answer, and then given up loudly.

Credentials are those that MLflow's client takes: in the URI, or MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME and
MLFLOW_TRACKING_PASSWORD.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from fleetlog.importers.source import SourceError

TIMEOUT_SECONDS = 120.0
RETRY_PAUSES = (0.5, 2.0, 8.0, 20.0)
"""Seconds between tries."""
PAGE = 1_000
_AGAIN = (408, 429, 500, 502, 503, 504)
_SHOWN = 200


class Refused(Exception):
    """The server answered that it does not: the call is not known, or what was asked for is not there."""


class RestCalls:
    """Calls of one server."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        netloc = f"{host}:{parts.port}" if parts.port else host
        self.base = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/json", **_credentials(parts.username, parts.password)}

    def get(self, path: str, /, **values: Any) -> dict[str, Any]:
        """Returns the answer of a call that reads. Refused; SourceError: no server answers."""
        return self._json(f"/api/2.0/mlflow/{path}?{urlencode(values, doseq=True)}", None)

    def post(self, path: str, /, **values: Any) -> dict[str, Any]:
        """Returns the answer of a call that takes an object."""
        return self._json(f"/api/2.0/mlflow/{path}", values)

    def pages(self, path: str, key: str, /, *, posts: bool = False, **values: Any) -> Iterator[Mapping[str, Any]]:
        """Yields what all pages of a call have under a key."""
        token = ""
        while True:
            asked = {**values, "page_token": token} if token else values
            answer = self.post(path, **asked) if posts else self.get(path, **asked)
            yield from answer.get(key) or ()
            token = answer.get("next_page_token") or ""
            if not token:
                return

    def open(self, path: str, /, **values: Any) -> BinaryIO:
        """Returns the content of a file. OSError."""
        try:
            return self._opened(f"{path}?{urlencode(values, quote_via=quote)}", None)
        except (Refused, SourceError) as error:
            raise OSError(str(error)) from None

    def _json(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        with self._opened(path, body) as answer:
            try:
                found = json.load(answer)
            except ValueError:
                raise SourceError(f"{self.base} does not answer as MLflow's server does: {path} has no JSON") from None
        return found if isinstance(found, dict) else {}

    def _opened(self, path: str, body: Mapping[str, Any] | None) -> BinaryIO:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
        request = Request(self.base + path, data, headers)  # noqa: S310  # http:// or https://
        for pause in (*RETRY_PAUSES, None):
            try:
                opened: BinaryIO = urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
                return opened
            except HTTPError as error:
                said = error.read(_SHOWN * 4).decode(errors="replace")[:_SHOWN]
                if error.code not in _AGAIN:
                    if error.code in (401, 403):
                        raise SourceError(
                            f"{self.base} refuses: {error.code}; set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME"
                            " and MLFLOW_TRACKING_PASSWORD"
                        ) from None
                    raise Refused(f"{path.partition('?')[0]}: {error.code} {said}") from None
                last = f"{error.code} {said}"
            except (URLError, TimeoutError, ConnectionError) as error:
                last = str(getattr(error, "reason", error))
            if pause is not None:
                time.sleep(pause)
        raise SourceError(f"{self.base} does not answer: {last}; import again when it does, which goes on from here")


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    user = unquote(user) if user else os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = unquote(password) if password else os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    if user:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {"Authorization": f"Bearer {token}"} if token else {}
