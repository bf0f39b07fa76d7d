"""The pages of the web UI: files that were built into `static`, read once.

`index.html` is at / and at every address of a view (/n/…). HASH_MARK in it becomes the hash of all files, under which
the others are (/v/HASH/…): what an address of theirs gave never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HASH_MARK = b"__HASH__"
INDEX = "index.html"
MIME_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Types by what names end with; files of others are not served."""
_MISSING = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>fleetlog</title>
<h1>fleetlog</h1>
<p>The pages of the web UI were not built: run <code>make ui</code> where the source is, and start the server again.</p>
<p>Everything else is here: <code>POST /fleetlog.v1.QueryService/SearchRuns</code> and the other calls.</p>
"""


@dataclass(frozen=True)
class Bundle:
    """What was built."""

    version: str
    """Hash of all files: 16 hexadecimal digits, or "none"."""
    index: bytes
    files: Mapping[str, bytes]
    """Files by their names below `static`, with forward slashes, without the index."""


def load_bundle(folder: Path) -> Bundle:
    """Read what is in the folder; a page that says how to build it where there is nothing."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in MIME_TYPES
    }
    if INDEX not in files:
        return Bundle("none", _MISSING, {})
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    version = digest.hexdigest()[:16]
    return Bundle(version, files.pop(INDEX).replace(HASH_MARK, version.encode()), files)
