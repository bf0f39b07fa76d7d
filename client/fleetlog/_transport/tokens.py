"""The token that calls carry: from the environment, from a file that may change, or from `fleetlog login`.

FLEETLOG_TOKEN        the token itself
FLEETLOG_TOKEN_FILE   a file with it, read again when it changes
credentials.json      in FLEETLOG_CONFIG_HOME, or ~/.config/fleetlog: tokens by server, for this user alone
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

from fleetlog_core.errors import FailedPrecondition, InvalidArgument, shown
from fleetlog_core.secret_files import write_secret

from fleetlog._transport.targets import dialed, uses_tls

TOKEN, TOKEN_FILE, HOME, INSECURE = (
    "FLEETLOG_TOKEN", "FLEETLOG_TOKEN_FILE", "FLEETLOG_CONFIG_HOME", "FLEETLOG_INSECURE",
)  # fmt: skip
LOOK_SECONDS = 1.0
"""Least time between two looks whether a file changed."""
_SENDABLE = re.compile(r"[!-~]{1,8192}")
_LOCAL = re.compile(r"(localhost|127\.[0-9.]+|\[::1\]):[0-9]+|unix(-abstract)?:.*", re.DOTALL)


class TokenSource:
    """The token of calls to one server. Cheap to ask for each call; from any thread."""

    def __init__(self, target: str) -> None:
        """InvalidArgument, FailedPrecondition: there is a token, and it can't be sent."""
        self._target = target
        self._is_private = uses_tls(target) or bool(_LOCAL.fullmatch(dialed(target)))
        self._looked_at = float("-inf")
        self._stamp: object = None
        self._metadata: tuple[tuple[str, str], ...] = ()
        self._look(is_first=True)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries; empty when there is no token."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._look(is_first=False)
        return self._metadata

    def _look(self, *, is_first: bool) -> None:
        self._looked_at = time.monotonic()
        stamp = _stamp()
        if stamp == self._stamp and not is_first:
            return
        try:
            text = token_for(self._target)
            if text and not self._is_private and not os.environ.get(INSECURE):
                raise FailedPrecondition(
                    "TOKEN_NEEDS_TLS",
                    f"{self._target} is another machine without TLS, where a token can be read on the way: give"
                    f" fleetlogs://{self._target}, or set {INSECURE}=1 where something else encrypts",
                )
        except (InvalidArgument, FailedPrecondition):
            # A file that is being replaced: what was read before is tried until it is there.
            if is_first:
                raise
            return
        self._stamp = stamp
        self._metadata = (("authorization", f"Bearer {text}"),) if text else ()


def token_for(target: str) -> str:
    """The token for a server, as `resolve_target` gives it; "" = there is none. InvalidArgument TOKEN_INVALID."""
    if text := os.environ.get(TOKEN, "").strip():
        return _sendable(TOKEN, text)
    if path := os.environ.get(TOKEN_FILE):
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise InvalidArgument.of_field("TOKEN_INVALID", TOKEN_FILE, f"{shown(path)} can't be read: {why}") from None
        return _sendable(TOKEN_FILE, text)
    return kept_tokens().get(target, "")


def credentials_file() -> Path:
    """Where `fleetlog login` keeps tokens."""
    home = os.environ.get(HOME)
    if home:
        return Path(home) / "credentials.json"
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "fleetlog" / "credentials.json"


def kept_tokens() -> dict[str, str]:
    """Tokens by server, as far as the file can be read."""
    try:
        found = json.loads(credentials_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return {}
    tokens = found.get("tokens") if isinstance(found, dict) else None
    if not isinstance(tokens, dict):
        return {}
    return {str(target): text for target, text in tokens.items() if isinstance(text, str) and _SENDABLE.fullmatch(text)}


def keep_token(target: str, text: str) -> Path:
    """Keep the token for a server ("" = forget it), in a file for this user alone. OSError, InvalidArgument."""
    tokens = kept_tokens()
    if text:
        tokens[target] = _sendable("token", text)
    else:
        tokens.pop(target, None)
    path = credentials_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_secret(path, json.dumps({"tokens": tokens}, indent=1, sort_keys=True).encode())
    return path


def _sendable(field: str, text: str) -> str:
    if not _SENDABLE.fullmatch(text):
        raise InvalidArgument.of_field(
            "TOKEN_INVALID", field, "it is no token: 1 to 8,192 printable characters without blanks"
        )
    return text


def _stamp() -> object:
    path = os.environ.get(TOKEN_FILE)
    try:
        found = (Path(path) if path else credentials_file()).stat()
    except (OSError, RuntimeError):
        return os.environ.get(TOKEN), path
    return os.environ.get(TOKEN), path, found.st_ino, found.st_mtime_ns, found.st_size
