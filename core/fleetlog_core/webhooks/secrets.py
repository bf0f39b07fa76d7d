"""Secrets of webhooks, encrypted before they reach the log: AES-SIV (RFC 5297), with the namespace as associated data.

The same secret gives the same bytes, so that a request which is sent again is the same request.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 32


class SecretLost(Exception):
    """A secret was encrypted with another key, or for another namespace."""


class Secrets:
    """Encrypts and decrypts with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, namespace: str, secret: str) -> bytes:
        """Returns the encrypted secret; empty for an empty one."""
        return self._cipher.encrypt(secret.encode(), [namespace.encode()]) if secret else b""

    def open(self, namespace: str, sealed: bytes) -> str:
        """Returns the secret; empty for an empty one. SecretLost."""
        if not sealed:
            return ""
        try:
            return self._cipher.decrypt(sealed, [namespace.encode()]).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretLost("the secret was encrypted with another key") from error
