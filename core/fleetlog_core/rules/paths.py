"""Paths of artifacts: relative, with forward slashes, and nothing that climbs. The one place that decides."""

from __future__ import annotations

import re
from urllib.parse import unquote

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.printable import hidden_character

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")


def check_artifact_path(path: str, field: str = "path", *, written: bool = True) -> None:
    """ARTIFACT_PATH_INVALID when the path is not relative and plain, also after decoding %-escapes twice.

    Hidden characters are refused only in what is `written`: older artifacts may have them, and can be read.
    """
    size = len(path.encode("utf-8", "surrogatepass"))
    if not size:
        raise _invalid(field, path, f"is empty; give 1 to {limits.ARTIFACT_PATH_BYTES:,} bytes")
    if size > limits.ARTIFACT_PATH_BYTES:
        raise _invalid(field, path, f"has {size:,} bytes, at most {limits.ARTIFACT_PATH_BYTES:,}; shorten it")
    seen = path
    for _ in range(3):
        _check_plain(seen, path, field, written)
        decoded = unquote(seen, errors="replace")
        if decoded == seen:
            return
        seen = decoded
    _check_plain(seen, path, field, written)


def _check_plain(seen: str, path: str, field: str, written: bool) -> None:
    if _CONTROL.search(seen):
        raise _invalid(field, path, "has a control character or half a surrogate pair; leave it out")
    if "\\" in seen:
        raise _invalid(field, path, "has a backslash; use forward slashes")
    if _DRIVE.match(seen) or seen.startswith("/"):
        raise _invalid(field, path, "is absolute; give it relative to the run")
    if any(part in ("", ".", "..") for part in seen.split("/")):
        raise _invalid(field, path, "has an empty, '.' or '..' part; name every part")
    hidden = hidden_character(seen) if written else ""
    if hidden:
        raise _invalid(field, path, f"has {hidden}, which is not seen; leave it out")


def _invalid(field: str, path: str, what: str) -> InvalidArgument:
    return InvalidArgument.of_field("ARTIFACT_PATH_INVALID", field, f"{shown(path)} {what}")
