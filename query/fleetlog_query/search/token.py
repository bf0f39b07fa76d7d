"""Page tokens: opaque, and nobody else's. A MAC over what the token holds; a changed one is refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from fleetlog_core.errors import InvalidArgument

_MAC_BYTES = 16


class PageTokens:
    """Makes and reads tokens. `purpose` names the request that a token continues: it fits no other."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, purpose: str, values: list[Any]) -> str:
        """A token that holds the values (JSON; numbers as given)."""
        body = json.dumps(values, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(purpose, body) + body).decode()

    def read(self, purpose: str, token: str) -> list[Any]:
        """The values. PAGE_TOKEN_INVALID."""
        try:
            data = base64.urlsafe_b64decode(token.encode("ascii", "strict"))
        except (binascii.Error, ValueError, UnicodeError):
            raise _invalid() from None
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(purpose, body)):
            raise _invalid()
        values = json.loads(body)
        if not isinstance(values, list):
            raise _invalid()
        return values

    def _mac(self, purpose: str, body: bytes) -> bytes:
        return hmac.new(self._key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:_MAC_BYTES]


def _invalid() -> InvalidArgument:
    return InvalidArgument.of_field(
        "PAGE_TOKEN_INVALID", "page_token", "it is not from the response before of the same request; begin without one"
    )


def check_page_size(size: int, default: int, most: int) -> int:
    """0 = default, more than the most = the most. PAGE_SIZE_NEGATIVE."""
    if size < 0:
        raise InvalidArgument.of_field(
            "PAGE_SIZE_NEGATIVE", "page_size", f"{size} is below 0; leave it 0 for {default}"
        )
    return min(size or default, most)
