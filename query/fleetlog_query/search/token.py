"""Page tokens: opaque, and nobody else's. A MAC over what the token holds; a changed one is refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.ids import ID_BYTES

from fleetlog_query.order.run_order import FirstPage
from fleetlog_query.sql.as_of import AsOf

_MAC_BYTES = 16


class PageTokens:
    """Makes and reads tokens. `purpose` names the request that a token continues: it fits no other."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: the first signs, and what any of them signed is read."""
        self._keys = keys

    def make(self, purpose: str, values: list[Any]) -> str:
        """A token that holds the values (JSON; numbers as given)."""
        body = json.dumps(values, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_mac(self._keys[0], purpose, body) + body).decode()

    def read(self, purpose: str, token: str) -> list[Any]:
        """The values. PAGE_TOKEN_INVALID."""
        try:
            data = base64.urlsafe_b64decode(token.encode("ascii", "strict"))
        except (binascii.Error, ValueError, UnicodeError):
            raise _invalid() from None
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, purpose, body)) for key in self._keys):
            raise _invalid()
        values = json.loads(body)
        if not isinstance(values, list):
            raise _invalid()
        return values


def _mac(key: bytes, purpose: str, body: bytes) -> bytes:
    return hmac.new(key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:_MAC_BYTES]


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


@dataclass(frozen=True)
class SearchToken:
    """Place where the pages of a search go on, or a stream of it.

    `moment`: what now() means on all of them. `position`: what they are as of. `place`: in the order of the runs; of
    those behind the first page, when some changed while it was read. `experiments`: digest of those looked in.
    """

    moment: float
    position: AsOf
    place: int
    experiments: str
    first: FirstPage | None = None

    def values(self) -> list[Any]:
        """Values as JSON has them."""
        first = self.first
        loose = [] if first is None else [first.settled, _text_of(first.returned), _text_of(first.held_back)]
        return [self.moment, list(self.position.events), self.position.control, self.place, self.experiments, *loose]

    @classmethod
    def of(cls, values: Sequence[Any]) -> SearchToken:
        """The opposite of `values`."""
        moment, events, control, place, experiments, *loose = values
        first = FirstPage(loose[0], _ids_of(loose[1]), _ids_of(loose[2])) if loose else None
        return cls(moment, AsOf(tuple(events), control), place, experiments, first)


def _text_of(ids: frozenset[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(ids))).decode()


def _ids_of(text: str) -> frozenset[bytes]:
    data = base64.b64decode(text)
    return frozenset(data[place : place + ID_BYTES] for place in range(0, len(data), ID_BYTES))
