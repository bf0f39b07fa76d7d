"""How a stream of messages stands in one body: in Connect's envelopes, or a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from fleetlog_core.errors import InvalidArgument

from fleetlog_query.web.envelopes import END, EnvelopeInvalid, envelope, messages_in
from fleetlog_query.web.failures import Failure
from fleetlog_query.web.forms import BINARY, JSON, Form


class Framing(Protocol):
    """One of the ways, with the form that messages have in it."""

    content_type: str
    """Type of the answer."""
    form: Form
    many_requests: bool
    """True if a request's body may have several messages."""
    fails_by_status: bool
    """True if an error before the first message is told by the status of the answer."""

    def requests(self, body: bytes) -> Sequence[bytes]:
        """The messages of a request's body. InvalidArgument ENVELOPE_INVALID."""
        ...

    def message(self, data: bytes) -> bytes:
        """A message of the answer."""
        ...

    def end(self, failure: Failure | None) -> bytes:
        """The end of the answer."""
        ...


class Envelopes:
    """See Framing. The last envelope is of JSON: {}, or {"error": …}."""

    many_requests, fails_by_status = True, False

    def __init__(self, form: Form) -> None:
        self.form = form
        self.content_type = f"application/connect+{form.suffix}"

    def requests(self, body: bytes) -> Sequence[bytes]:
        """See Framing."""
        try:
            return list(messages_in(body))
        except EnvelopeInvalid as error:
            raise InvalidArgument("ENVELOPE_INVALID", f"the body is no sequence of envelopes: {error}") from None

    def message(self, data: bytes) -> bytes:
        """See Framing."""
        return envelope(data)

    def end(self, failure: Failure | None) -> bytes:
        """See Framing."""
        told = {} if failure is None else {"error": failure.told()}
        return envelope(json.dumps(told, ensure_ascii=False).encode(), END)


class Lines:
    """See Framing. The request is one object; a last line {"error": …} says that the answer is not whole."""

    content_type = "application/x-ndjson"
    form: Form = JSON
    many_requests, fails_by_status = False, True

    def requests(self, body: bytes) -> Sequence[bytes]:
        """See Framing."""
        return [body]

    def message(self, data: bytes) -> bytes:
        """See Framing."""
        return data + b"\n"

    def end(self, failure: Failure | None) -> bytes:
        """See Framing."""
        return b"" if failure is None else json.dumps({"error": failure.told()}, ensure_ascii=False).encode() + b"\n"


FRAMINGS: Mapping[str, Framing] = {
    "application/connect+proto": Envelopes(BINARY),
    "application/connect+json": Envelopes(JSON),
    "application/json": Lines(),
}
"""The framing that requests of a content type ask for."""
