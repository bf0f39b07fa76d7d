"""Paths of artifacts: relative, with forward slashes, and nothing that climbs. The one place that decides."""

from __future__ import annotations

import re
from urllib.parse import unquote

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_ESCAPED = re.compile(r"%(2e|2f|5c)", re.IGNORECASE)


def check_artifact_path(path: str, field: str = "path") -> None:
    """ARTIFACT_PATH_INVALID when the path is not relative and plain, or would not be after decoding %-escapes.

    However often it is decoded: every decoding makes the path shorter, so that they come to an end.
    """
    size = len(path.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= limits.ARTIFACT_PATH_BYTES:
        raise _invalid(field, path, f"has {size:,} bytes; use 1 to {limits.ARTIFACT_PATH_BYTES:,}")
    seen = path
    while True:
        _check_plain(seen, path, field)
        decoded = unquote(seen, errors="replace")
        if decoded == seen:
            return
        if _ESCAPED.search(seen):
            raise _invalid(field, path, "has a dot or slash that is %-encoded; write it out")
        seen = decoded


def _check_plain(seen: str, path: str, field: str) -> None:
    if _CONTROL.search(seen):
        raise _invalid(field, path, "has a control character; leave it out")
    if "\\" in seen:
        raise _invalid(field, path, "has a backslash; use forward slashes")
    if _DRIVE.match(seen) or seen.startswith("/"):
        raise _invalid(field, path, "is absolute; give it relative to the run")
    if any(part in ("", ".", "..") for part in seen.split("/")):
        raise _invalid(field, path, "has an empty, '.' or '..' part; name every part")


def _invalid(field: str, path: str, what: str) -> InvalidArgument:
    return InvalidArgument.of_field("ARTIFACT_PATH_INVALID", field, f"{shown(path)} {what}")
