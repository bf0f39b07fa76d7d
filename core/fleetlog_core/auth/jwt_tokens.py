"""Tokens of an identity provider (JWT): verified by its keys, worth what the rules say of their claims."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jwt
import urllib3

from fleetlog_core.auth.claims import ClaimRule, grants_by
from fleetlog_core.auth.identity import Identity
from fleetlog_core.errors import Unavailable

diagnostics = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""By public keys only: a token that names another one, or none, is invalid."""
KEPT_SECONDS = 300.0
"""Seconds after which the provider's keys are read again."""
UNKNOWN_SECONDS = 10.0
"""Least seconds between two readings because a token names a key that is not known: anybody can send such tokens."""
LEEWAY_SECONDS = 10.0
KEYS_BYTES = 1024 * 1024
VERIFIED = 1_000
"""Tokens whose signatures are remembered as good."""
Keys = Mapping[str, jwt.PyJWK]


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider, and what its tokens are worth."""

    issuer: str
    audience: str
    keys_url: str
    """Where its JSON Web Key Set is."""
    rules: tuple[ClaimRule, ...]
    principal_claim: str = "sub"


class JwtTokens:
    """Verifies tokens. `identify` from one thread, which it does not block; `refresh` from any other."""

    def __init__(
        self,
        provider: Provider,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._fetch = fetch or _fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Keys | None = None
        self._read_at = 0.0
        self._wanted = False
        """Whether a token named a key that was not known."""
        self._verified: dict[str, Identity] = {}

    def identify(self, text: str) -> Identity | None:
        """Whose token it is; None: it is not valid. Unavailable while a key that it names is to be read.

        The caller looks at `Identity.is_expired`: what is remembered may have ended meanwhile.
        """
        # Those of now: what is found by keys that are replaced meanwhile is remembered no longer.
        verified = self._verified
        known = verified.get(text)
        if known is not None:
            return known
        try:
            key_id = jwt.get_unverified_header(text).get("kid")
        except jwt.InvalidTokenError:
            return None
        key = self._key(key_id)
        if key is None:
            return None
        provider = self._provider
        try:
            claims = jwt.decode(
                text, key.key, algorithms=[one for one in ALGORITHMS if one == key.algorithm_name],
                audience=provider.audience, issuer=provider.issuer, leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )  # fmt: skip
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None
        principal = claims.get(provider.principal_claim)
        if not isinstance(principal, str) or not principal:
            return None
        found = Identity(
            principal, grants_by(provider.rules, claims), expire_time=float(claims["exp"]) + LEEWAY_SECONDS
        )
        if len(verified) >= VERIFIED:
            verified.clear()
        verified[text] = found
        return found

    def refresh(self) -> None:
        """Read the keys when it is time, or a token named another one. What is there stays when they can't be read."""
        now = self._clock()
        with self._lock:
            age = now - self._read_at
            is_due = self._keys is None or age >= KEPT_SECONDS or (self._wanted and age >= UNKNOWN_SECONDS)
            if not is_due or (self._keys is None and self._read_at > 0.0 and age < 1.0):
                return
            self._read_at = now
        try:
            keys = _keys_of(self._fetch(self._provider.keys_url))
        except (OSError, ValueError, urllib3.exceptions.HTTPError, jwt.PyJWTError) as error:
            diagnostics.warning("keys of the identity provider can't be read: %s", error)
            return
        self._wanted = False
        self._keys = keys
        # A key that is gone is trusted no longer.
        self._verified = {}

    def _key(self, key_id: object) -> jwt.PyJWK | None:
        keys = self._keys
        if keys is None:
            raise _not_read()
        if not isinstance(key_id, str):
            return next(iter(keys.values())) if len(keys) == 1 else None
        key = keys.get(key_id)
        if key is None and not self._wanted and self._clock() - self._read_at >= UNKNOWN_SECONDS:
            self._wanted = True
            raise _not_read()
        return key


def _not_read() -> Unavailable:
    return Unavailable(
        "IDENTITY_KEYS_UNREAD", "keys of the identity provider are being read; retry", retry_after_seconds=1.0
    )


def _keys_of(data: bytes) -> Keys:
    """Keys for signatures by their ids. ValueError, jwt.PyJWTError."""
    found = json.loads(data)
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the answer is no JSON Web Key Set")
    keys: dict[str, jwt.PyJWK] = {}
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK.from_dict(entry)
        except jwt.PyJWTError:
            # Of a kind that is not known here: tokens that it signed are invalid.
            continue
        if key.algorithm_name in ALGORITHMS:
            keys[str(entry.get("kid", f"#{place}"))] = key
    return keys


def _fetch(url: str) -> bytes:
    """OSError, urllib3's errors."""
    timeout = urllib3.Timeout(connect=5.0, read=5.0)
    with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
        answer = pool.request("GET", url, preload_content=False, redirect=False)
        try:
            if answer.status != 200:
                raise OSError(f"HTTP {answer.status}")
            return answer.read(KEYS_BYTES)
        finally:
            answer.close()
