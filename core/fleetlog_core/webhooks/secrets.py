"""Secrets of webhooks, encrypted before they reach the log: AES-SIV (RFC 5297), with the namespace as associated data.

The same secret gives the same bytes, so that a request which is sent again is the same request.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 32


class SecretLost(Exception):
    """A secret was encrypted with another key, or for another namespace."""


class Secrets:
    """Encrypts with the first of its keys, of 32 bytes each, and decrypts with any."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESSIV(key) for key in keys]

    def seal(self, namespace: str, secret: str) -> bytes:
        """Returns the encrypted secret; empty for an empty one."""
        return self._ciphers[0].encrypt(secret.encode(), [namespace.encode()]) if secret else b""

    def open(self, namespace: str, sealed: bytes) -> str:
        """Returns the secret; empty for an empty one. SecretLost."""
        if not sealed:
            return ""
        for cipher in self._ciphers:
            with suppress(InvalidTag, ValueError):
                return cipher.decrypt(sealed, [namespace.encode()]).decode()
        raise SecretLost("the secret was encrypted with another key")
