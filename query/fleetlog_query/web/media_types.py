"""What an artifact is, judged by its first bytes and never by its name: a name is whatever a run says."""

from __future__ import annotations

import re
from dataclasses import dataclass

JUDGED_BYTES = 4096
"""First bytes that are looked at."""
OTHER = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_IGNORED = rb"(?:\s|<!--.*?-->|<\?xml.*?\?>)*"
_HTML = re.compile(_IGNORED + rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(_IGNORED + rb"(?:<!doctype\s+svg[^>]*>\s*)?<svg[\s>]", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class MediaType:
    """What a browser is told of the bytes."""

    content_type: str
    inline: bool
    """True if it is shown where it is asked for; False if it is offered as a file."""


def media_type_of(beginning: bytes) -> MediaType:
    """The type of bytes that begin so."""
    beginning = beginning[:JUDGED_BYTES]
    for known, content_type in _BEGINNINGS:
        if beginning.startswith(known):
            return MediaType(content_type, inline=True)
    if beginning.startswith(b"RIFF") and beginning[8:12] in _RIFF:
        return MediaType(_RIFF[beginning[8:12]], inline=True)
    if beginning[4:8] == b"ftyp":
        return MediaType("video/mp4", inline=True)
    text = beginning.removeprefix(b"\xef\xbb\xbf")
    if not _is_text(text):
        return MediaType(OTHER, inline=False)
    if _HTML.match(text):
        return MediaType("text/html; charset=utf-8", inline=True)
    if _SVG.match(text):
        return MediaType("image/svg+xml; charset=utf-8", inline=True)
    return MediaType(TEXT, inline=True)


def _is_text(beginning: bytes) -> bool:
    """True if it is UTF-8 without controls; the last sign may be cut."""
    if b"\0" in beginning:
        return False
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        return len(beginning) == JUDGED_BYTES and error.start >= len(beginning) - 3
    return True
