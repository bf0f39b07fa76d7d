"""Who shows a token: the server's own tokens, the admin's that stands in the settings, an identity provider's.

All that is known of tokens is held in memory, and read again on a short cycle: a call never waits for it. While the
tables do not answer, what was read last holds.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping

from fleetlog_core.auth.identity import EVERYWHERE, ROLES, Grant, Identity
from fleetlog_core.auth.jwt_tokens import JwtTokens
from fleetlog_core.auth.kept_tokens import KeptToken
from fleetlog_core.auth.tokens import SALT_BYTES, TOKEN_BYTES, digest_of, is_same, parts_of
from fleetlog_core.errors import Unauthenticated, Unavailable
from fleetlog_core.rebuilds import NotWhole
from fleetlog_core.warehouse.port import TimedOut, WarehouseRefused, WarehouseUnavailable

diagnostics = logging.getLogger(__name__)
CYCLE_SECONDS = 1.0
"""Time between two looks for tokens that were made or revoked."""
ADMIN_NAME = "admin"
BEARER = "bearer "
Tokens = Mapping[str, KeptToken]


def unauthenticated() -> Unauthenticated:
    """The error for whatever is wrong with a token: one text, which tells nothing of what is."""
    return Unauthenticated(
        "UNAUTHENTICATED",
        "this server wants a valid token: it is missing, wrong, expired or revoked; set FLEETLOG_TOKEN, or run"
        " `fleetlog login`",
    )


class Authentication:
    """Tells identities. `refresh` from any thread, everything else from one."""

    def __init__(
        self,
        read: Callable[[], Tokens],
        admin_token: str = "",
        jwt_tokens: JwtTokens | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`read`: all tokens of the tables; it may raise as warehouses do. `admin_token`: "" = there is none."""
        self._read = read
        self._salt = secrets.token_bytes(SALT_BYTES)
        self._admin = digest_of(self._salt, admin_token) if admin_token else b""
        self._admin_identity = Identity(ADMIN_NAME, (Grant(EVERYWHERE, ROLES["admin"]),), ADMIN_NAME)
        self._jwt = jwt_tokens
        self._clock = clock
        self._reading = threading.Lock()
        self._tokens: Tokens | None = None
        self._identities: dict[str, Identity] = {}
        self._is_told = False

    def identify(self, authorization: str | bytes | None) -> Identity:
        """Who shows this as `authorization`. Unauthenticated; Unavailable while tokens were not read yet."""
        text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization or ""
        if len(text) > TOKEN_BYTES or text[: len(BEARER)].lower() != BEARER:
            raise unauthenticated()
        text = text[len(BEARER) :].strip()
        if self._admin and is_same(digest_of(self._salt, text), self._admin):
            return self._admin_identity
        parts = parts_of(text)
        identity = self._own(*parts) if parts is not None else self._foreign(text)
        if identity is None or identity.is_expired(self._clock()):
            raise unauthenticated()
        return identity

    def is_current(self, identity: Identity) -> bool:
        """True if what was identified before still holds: not revoked, not expired."""
        if identity.is_expired(self._clock()):
            return False
        tokens = self._tokens
        if not identity.token_id or tokens is None:
            return True
        kept = tokens.get(identity.token_id)
        return kept is not None and not kept.is_revoked

    def seconds_left(self, identity: Identity) -> float | None:
        """Seconds until the token ends; None = it has no end."""
        return identity.expire_time - self._clock() if identity.expire_time else None

    def refresh(self) -> None:
        """Read again what may have changed. What was read before holds when that fails."""
        if self._jwt is not None:
            self._jwt.refresh()
        with self._reading:
            try:
                tokens = self._read()
            except (WarehouseUnavailable, WarehouseRefused, TimedOut, NotWhole) as error:
                if not self._is_told:
                    self._is_told = True
                    diagnostics.warning("tokens can't be read now, those that were read before hold: %s", error)
                return
            self._is_told = False
            self._tokens, self._identities = tokens, {}

    def _own(self, token_id: str, secret: str) -> Identity | None:
        tokens, identities = self._tokens, self._identities
        if tokens is None:
            raise Unavailable("TOKENS_UNREAD", "the server has not read its tokens yet; retry", retry_after_seconds=1.0)
        kept = tokens.get(token_id)
        salt, digest = (self._salt, bytes(32)) if kept is None else (kept.salt, kept.digest)
        if not is_same(digest_of(salt, secret), digest) or kept is None or kept.is_revoked:
            return None
        identity = identities.get(token_id)
        if identity is None:
            identity = identities[token_id] = kept.identity()
        return identity

    def _foreign(self, text: str) -> Identity | None:
        return None if self._jwt is None else self._jwt.identify(text)
