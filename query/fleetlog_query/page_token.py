"""Page tokens: where a page ended. Opaque and sealed: one that was made up, or belongs to another request, is refused.

base64url( version (1 byte) | HMAC-SHA256 over version, purpose and body, cut to 16 bytes | body (JSON) )
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from typing import Any

from fleetlog_core.errors import InvalidArgument

VERSION = 1
_MAC_BYTES = 16


class PageTokens:
    """Makes and reads tokens. `purpose` names the request that a token continues: it fits no other."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, purpose: str, values: Sequence[Any]) -> str:
        """A token that holds the values (JSON; numbers as given, infinities too)."""
        body = json.dumps(list(values), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(bytes([VERSION]) + self._mac(purpose, body) + body).decode("ascii")

    def read(self, purpose: str, token: str) -> list[Any]:
        """The values. PAGE_TOKEN_INVALID."""
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _invalid() from None
        mac, body = data[1 : 1 + _MAC_BYTES], data[1 + _MAC_BYTES :]
        if data[:1] != bytes([VERSION]) or not hmac.compare_digest(mac, self._mac(purpose, body)):
            raise _invalid()
        values: list[Any] = json.loads(body)
        return values

    def _mac(self, purpose: str, body: bytes) -> bytes:
        sealed = bytes([VERSION]) + purpose.encode() + b"\0" + body
        return hmac.digest(self._key, sealed, "sha256")[:_MAC_BYTES]


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
