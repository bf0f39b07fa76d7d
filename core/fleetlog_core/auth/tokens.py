"""Tokens of a server: made, taken apart, compared. A token is `flt_ID_SECRET`; kept is a salted digest of it. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

PREFIX = "flt_"
ID_BYTES, SECRET_BYTES, SALT_BYTES = 8, 32, 16
TOKEN_BYTES = 8_192
"""Maximum of what is looked at as a token: those of identity providers are some hundred bytes."""
_TOKEN = re.compile(r"flt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: `text` is for its user alone."""

    token_id: str
    text: str
    salt: bytes
    digest: bytes


def new_token() -> NewToken:
    """A token of 256 random bits."""
    token_id, secret, salt = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES), secrets.token_bytes(16)
    return NewToken(token_id, f"{PREFIX}{token_id}_{secret}", salt, digest_of(salt, secret))


def parts_of(text: str) -> tuple[str, str] | None:
    """Id and secret of a token; None: it is none of this server's kind."""
    found = _TOKEN.fullmatch(text)
    return None if found is None else (found[1], found[2])


def digest_of(salt: bytes, secret: str) -> bytes:
    """What is kept. The secret is 256 random bits, so nobody finds it by trying, however quick the digest is."""
    return hashlib.sha256(salt + secret.encode()).digest()


def is_same(digest: bytes, other: bytes) -> bool:
    """True if they are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(digest, other)
