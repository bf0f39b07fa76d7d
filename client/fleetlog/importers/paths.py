"""Paths of files that are named after something of a source: a tag, a key, an attribute."""

from __future__ import annotations

import re
from hashlib import blake2b

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.paths import check_artifact_path

_PLAIN = re.compile(r"[^\w\-. /+=@,()]")
_ROOM = 80
"""Bytes that are left for what is added: a suffix, a number, a digest."""


def artifact_path(*parts: str) -> str:
    """Path of these parts, of which each may have slashes.

    Where a part can't stand in a path as it is, what can't is replaced, and a digest keeps it apart from others.
    """
    return "/".join(_plain(part) for part in parts)


def _plain(part: str) -> str:
    try:
        check_artifact_path(part)
    except InvalidArgument:
        pass
    else:
        if len(part.encode()) <= limits.ARTIFACT_PATH_BYTES - _ROOM:
            return part
    digest = blake2b(part.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    names = [name for name in _PLAIN.sub("_", part).split("/") if name not in ("", ".", "..")]
    cut = "/".join(names).encode("utf-8", "replace")[: limits.ARTIFACT_PATH_BYTES // 2].decode("utf-8", "ignore")
    return f"{cut.strip('/')}-{digest}".lstrip("-")


class PathsInUse:
    """Paths of one run that have been given out: of a path that comes again each further one has a number."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def unused(self, path: str) -> str:
        """Returns the path, or the path with the next number in front of its suffix."""
        count = self._counts[path] = self._counts.get(path, 0) + 1
        if count == 1:
            return path
        stem, dot, suffix = path.rpartition(".")
        return self.unused(f"{stem}.{count}.{suffix}" if dot and "/" not in suffix else f"{path}.{count}")
