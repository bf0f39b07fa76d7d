from __future__ import annotations

import pytest
from fleetlog_query.web.media_types import JUDGED_BYTES, media_type_of


@pytest.mark.parametrize(
    ("beginning", "content_type", "inline"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png", True),
        (b"\xff\xd8\xff\xe0..", "image/jpeg", True),
        (b"GIF89a..", "image/gif", True),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", True),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav", True),
        (b"RIFF\0\0\0\0AVI ....", "application/octet-stream", False),
        (b"\0\0\0\x20ftypisom", "video/mp4", True),
        (b"\x1aE\xdf\xa3....", "video/webm", True),
        (b"", "text/plain; charset=utf-8", True),
        (b"step,loss\n1,0.5\n", "text/plain; charset=utf-8", True),
        ("\ufeffgrüße".encode(), "text/plain; charset=utf-8", True),
        (b"  <!-- a --> <!DOCTYPE html><p>", "text/html; charset=utf-8", True),
        (b"<HTML >", "text/html; charset=utf-8", True),
        (b"<?xml version='1.0'?>\n<svg xmlns=''>", "image/svg+xml; charset=utf-8", True),
        (b"<script>alert(1)</script>", "text/plain; charset=utf-8", True),
        (b"%PDF-1.7\n\xe2\xe3", "application/octet-stream", False),
        (b"PK\x03\x04\x14\0", "application/octet-stream", False),
        (b"\x80\x04\x95pickle", "application/octet-stream", False),
        (b"text with \0 in it", "application/octet-stream", False),
        (b"\x7fELF\x02\0\0", "application/octet-stream", False),
    ],
)
def test_bytes_say_what_they_are(beginning: bytes, content_type: str, inline: bool) -> None:
    kind = media_type_of(beginning)
    assert (kind.content_type, kind.inline) == (content_type, inline)


def test_a_sign_that_is_cut_at_the_end_of_what_is_judged_is_text() -> None:
    text = ("é" * JUDGED_BYTES).encode()
    assert media_type_of(b"x" + text).content_type.startswith("text/plain")
    assert not media_type_of(b"x" * 100 + b"\xc3").inline
